import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Log } from './log.js';
import { NOTIFY_CHANNEL } from './prisma/prisma.service.js';

/** How often a waiter looks by itself: covers a lost connection, and conditions that change with time alone. */
const POLL_MS = 5_000;
const RECONNECT_MIN_MS = 100;
const RECONNECT_MAX_MS = 5_000;

export interface WaitOptions {
  timeoutMs: number;
  signal?: AbortSignal;
}

/**
 * Wake-ups between processes over PostgreSQL's LISTEN/NOTIFY. A wake-up says that something may have changed, never what: the waiter
 * looks at the tables again. So a lost one costs time (POLL_MS), not correctness.
 */
export class Wakeups {
  private readonly listeners = new Map<string, Set<() => void>>();
  private client: pg.Client | undefined;
  private stopped = false;

  constructor(
    private readonly url: string,
    private readonly log: Log,
    /** Ends every wait when it aborts. */
    private readonly lifetime: AbortSignal,
  ) {}

  /** Connects, and keeps connected until `stop`. Throws when the first connection fails. */
  async start(): Promise<void> {
    await this.connect();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    const client = this.client;
    this.client = undefined;
    await client?.end().catch(() => {});
  }

  /** Calls `listener` whenever the topic is notified, and after a reconnection. Returns what ends that. */
  subscribe(topic: string, listener: () => void): () => void {
    const listeners = this.listeners.get(topic) ?? new Set();
    this.listeners.set(topic, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.listeners.get(topic) === listeners) this.listeners.delete(topic);
    };
  }

  /**
   * Calls `check` now and after each wake-up of one of the topics until it answers something. undefined: the time was up, the
   * signal aborted or the process is ending.
   */
  async wait<T>(topics: string[], check: () => Promise<T | undefined>, { timeoutMs, signal }: WaitOptions): Promise<T | undefined> {
    const deadlineMs = performance.now() + timeoutMs;
    const ended = signal ? AbortSignal.any([signal, this.lifetime]) : this.lifetime;
    let wake = Promise.withResolvers<void>();
    const unsubscribe = topics.map((topic) => this.subscribe(topic, () => wake.resolve()));
    try {
      for (;;) {
        wake = Promise.withResolvers<void>();
        const found = await check();
        if (found !== undefined) return found;
        const leftMs = deadlineMs - performance.now();
        if (leftMs <= 0 || ended.aborted) return undefined;
        await firstOf(wake.promise, Math.min(leftMs, POLL_MS), ended);
      }
    } finally {
      for (const end of unsubscribe) end();
    }
  }

  private async connect(): Promise<void> {
    const client = new pg.Client({ connectionString: this.url, keepAlive: true });
    client.on('notification', ({ payload }) => this.wake(payload ?? ''));
    client.on('error', (error) => this.lost(client, error));
    client.on('end', () => this.lost(client));
    this.client = client;
    try {
      await client.connect();
      await client.query(`LISTEN ${NOTIFY_CHANNEL}`);
    } catch (error) {
      if (this.client === client) this.client = undefined;
      await client.end().catch(() => {});
      throw error;
    }
  }

  private lost(client: pg.Client, error?: Error): void {
    if (this.stopped || this.client !== client) return;
    this.client = undefined;
    this.log.warn('lost the connection for wake-ups', { error });
    void this.reconnect();
  }

  private async reconnect(): Promise<void> {
    for (let delayMs = RECONNECT_MIN_MS; !this.stopped; delayMs = Math.min(delayMs * 2, RECONNECT_MAX_MS)) {
      await sleep(delayMs, undefined, { ref: false });
      if (this.stopped) return;
      try {
        await this.connect();
        if (this.stopped) return this.stop();
        // Whatever was notified meanwhile is lost: everybody looks again.
        for (const topic of this.listeners.keys()) this.wake(topic);
        return;
      } catch (error) {
        this.log.debug('no connection for wake-ups yet', { error });
      }
    }
  }

  private wake(topic: string): void {
    for (const listener of this.listeners.get(topic) ?? []) listener();
  }
}

/** Returns when woken, when the time is up or when the signal aborts. */
async function firstOf(woken: Promise<void>, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  const timer = sleep(timeoutMs, undefined, { signal: AbortSignal.any([signal, done.signal]) }).catch(() => {});
  await Promise.race([woken, timer]);
  done.abort();
}
