import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Lifetime } from '#platform/lifetime.js';
import { Log } from '#platform/log.js';
import { type WaitOptions, Wakeups } from '#platform/wakeups.js';
import { STAMPS_TOPIC } from '../topics.js';
import { type IndexedChannel, type NodeState, PlacedIndex } from './placed-index.js';
import { SharedLook } from './shared-look.js';
import { type Horizon, StampRepository } from './stamp.repository.js';

/** How often a look is taken though nobody was woken: a wake-up may be lost. */
const TICK_MS = 1_000;

/** Keeps this control plane's index of what is placed where; each look reads what has changed alone. */
@Injectable()
export class IndexService implements OnApplicationBootstrap {
  private readonly index = new PlacedIndex();
  private readonly look = new SharedLook(() => this.read());
  private standing: Horizon | undefined;
  /** By node: who waits for its state to change. */
  private readonly waiting = new Map<string, Set<() => void>>();
  private readonly listeners = new Set<(channels: readonly IndexedChannel[]) => void>();

  constructor(
    private readonly repository: StampRepository,
    private readonly wakeups: Wakeups,
    private readonly lifetime: Lifetime,
    private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    const unsubscribe = this.wakeups.subscribe(STAMPS_TOPIC, () => this.refreshSoon());
    this.lifetime.signal.addEventListener('abort', unsubscribe, { once: true });
    void this.tick(this.lifetime.signal);
  }

  /** Takes in everything that was committed before the call. Answers where the reading stands. */
  refresh(): Promise<Horizon> {
    return this.look.get();
  }

  /** Up to here everything is known. After a `refresh`. */
  get horizon(): Horizon {
    return this.standing!;
  }

  stateOf(node: string): NodeState {
    return this.index.stateOf(node);
  }

  /** Where every channel is; those that nobody has placed yet are left out. After a `refresh`. */
  placed(): IndexedChannel[] {
    return [...this.index.all()].filter(({ placement }) => placement !== null);
  }

  /** Calls `listener` with the channels that changed or were placed anew, gone ones included. Returns what ends that. */
  subscribe(listener: (channels: readonly IndexedChannel[]) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Returns when the node's state has another digest, the time is up or the signal aborts. */
  async changed(node: string, digest: string, { timeoutMs, signal }: WaitOptions): Promise<void> {
    const done = Promise.withResolvers<void>();
    const look = (): void => {
      if (this.stateOf(node).digest !== digest) done.resolve();
    };
    const looks = this.waiting.get(node) ?? new Set();
    this.waiting.set(node, looks.add(look));
    const timer = setTimeout(done.resolve, timeoutMs);
    const ended = signal ? AbortSignal.any([signal, this.lifetime.signal]) : this.lifetime.signal;
    const end = (): void => done.resolve();
    ended.addEventListener('abort', end, { once: true });
    try {
      if (ended.aborted) return;
      look();
      await done.promise;
    } finally {
      clearTimeout(timer);
      ended.removeEventListener('abort', end);
      looks.delete(look);
      if (looks.size === 0 && this.waiting.get(node) === looks) this.waiting.delete(node);
    }
  }

  private refreshSoon(): void {
    if (this.lifetime.signal.aborted) return;
    this.refresh().catch((error: unknown) => this.log.warn('could not look at what is placed where', { error }));
  }

  private async tick(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.refreshSoon();
      await sleep(TICK_MS, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  private async read(): Promise<Horizon> {
    const next = await this.repository.horizon();
    const since = this.standing?.horizon ?? 0n;
    const [channels, nodes] = await Promise.all([this.repository.channelsSince(since), this.repository.nodesSince(since)]);
    const concerned = new Set(nodes.map(({ node }) => node));
    // What was read before is read again as long as a transaction of that time is under way.
    const changed = channels.filter((channel) => this.isNew(channel));
    for (const channel of changed) for (const node of this.index.take(channel)) concerned.add(node);
    for (const { node, statuses } of nodes) this.index.report(node, statuses);
    this.standing = next;
    for (const node of concerned) for (const wake of this.waiting.get(node) ?? []) wake();
    if (changed.length > 0) for (const listener of this.listeners) listener(changed);
    return next;
  }

  private isNew(channel: IndexedChannel): boolean {
    const known = this.index.find(channel.id);
    return known?.stamp !== channel.stamp || known.changed !== channel.changed || known.placement?.generation !== channel.placement?.generation;
  }
}
