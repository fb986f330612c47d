import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../fixtures/random.js';
import { SimulatedNode } from './simulated-node.js';

const MAX_LATE_MS = 1_500;

/**
 * A simulated node on a bad network: what it says is lost, comes late, twice or in another order, at one control plane or another; answers get lost on their way back. It counts its
 * messages as real nodes do.
 */
export class UnreliableNode extends SimulatedNode {
  /** Of 100 messages, how many go wrong. */
  trouble = 0;
  /** While true, nothing of it comes through. */
  away = false;
  private startCount = 1;
  private sequence = 0;
  private readonly random: Random;
  private readonly late = new Set<Promise<unknown>>();

  constructor(private readonly urls: () => string[], token: string, name: string, seed: number) {
    super(urls()[0]!, token, name);
    this.random = new Random(seed);
  }

  /** Starts again: it still has what it had, and counts anew. */
  restart(): void {
    this.startCount++;
    this.sequence = 0;
  }

  override async stop(): Promise<void> {
    await super.stop();
    await Promise.all(this.late);
  }

  override async request(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
    const said = path === 'report' ? { ...(body as object), startCount: this.startCount, sequence: ++this.sequence } : body;
    const send = (): Promise<Response> => {
      if (this.away) return Promise.reject(new Error('away'));
      this.baseUrl = this.random.pick(this.urls());
      return super.request(method, path, said, signal);
    };
    if (this.random.below(100) >= this.trouble) return send();
    switch (this.random.pick(method === 'GET' ? ['lost', 'unanswered'] : ['lost', 'unanswered', 'late', 'doubled'])) {
      case 'unanswered':
        await send();
        break;
      case 'late':
        this.later(send);
        break;
      case 'doubled':
        this.later(send);
        return send();
    }
    throw new Error('lost');
  }

  private later(send: () => Promise<Response>): void {
    const sending = sleep(this.random.below(MAX_LATE_MS)).then(send).catch(() => {}).finally(() => this.late.delete(sending));
    this.late.add(sending);
  }
}
