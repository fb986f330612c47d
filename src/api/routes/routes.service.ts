import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { RouteChanges, WantedChannel } from '#contract/routes.js';
import type { ControlConfig } from '#platform/config.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import { Wakeups } from '#platform/wakeups.js';
import { SharedLook } from '../scheduler/shared-look.js';
import { STAMPS_TOPIC } from '../topics.js';
import { RouteBook } from './route-book.js';
import { type RoutedChannel, type RoutedNode, toRouteState } from './route-state.js';
import { RoutesRepository } from './routes.repository.js';

/** That a node says nothing any more is no news that anybody is told: it is looked for. */
const LOOK_EVERY_MS = 500;

export interface RoutesPoll {
  /** The revision that the gateway holds. */
  after: string | undefined;
  waitS: number;
}

/** Which nodes have which hosts, for their gateways. */
@Injectable()
export class RoutesService {
  private readonly book = new RouteBook(randomBytes(9).toString('hex'));
  private readonly look = new SharedLook(() => this.read());
  private readonly channels = new Map<string, RoutedChannel>();
  private readonly nodes = new Map<string, RoutedNode>();
  private horizon = 0n;
  private pulse = '';

  constructor(
    private readonly repository: RoutesRepository,
    private readonly wakeups: Wakeups,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
  ) {}

  /** What has changed since the table that a gateway holds: at once when there is something, else when there is, the time is up or the signal aborts. */
  async next({ after, waitS }: RoutesPoll, signal: AbortSignal): Promise<RouteChanges> {
    const untilMs = performance.now() + waitS * 1_000;
    const isNew = async (): Promise<true | undefined> => {
      await this.look.get();
      return this.book.revision !== after || undefined;
    };
    let found = await isNew();
    while (!found && !signal.aborted && performance.now() < untilMs) {
      found = await this.wakeups.wait([STAMPS_TOPIC], isNew, { timeoutMs: Math.min(LOOK_EVERY_MS, untilMs - performance.now()), signal });
    }
    return this.book.since(after);
  }

  /** A node was asked for a channel that is nowhere: whoever decides where channels are is to know. */
  async want(node: string, { app, channel }: WantedChannel): Promise<void> {
    await this.repository.want(node, app, channel);
  }

  /** Only what is new is read: the tables of a fleet are large. */
  private async read(): Promise<void> {
    const horizon = await this.repository.horizon();
    const [channels, nodes, pulses] = await Promise.all([this.repository.channelsSince(this.horizon), this.repository.nodesSince(this.horizon), this.repository.pulses()]);
    for (const channel of channels) this.channels.set(channel.id, channel);
    for (const node of nodes) this.nodes.set(node.node, node);
    this.horizon = horizon;
    const pulse = JSON.stringify(pulses);
    if (channels.length + nodes.length === 0 && pulse === this.pulse) return;
    this.pulse = pulse;
    this.book.take(toRouteState(this.channels.values(), this.nodes, pulses, this.config.WHORL_APP_DOMAIN));
  }
}
