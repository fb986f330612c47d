import { Injectable } from '@nestjs/common';
import type { ChannelName } from '#contract/ids.js';
import { AppsService } from '../apps/apps.service.js';
import { StateService } from '../scheduler/state.service.js';

/** What a channel uses changes with deployments and links: what was found out holds for so long. */
const KNOWN_FOR_MS = 5_000;

/** Channels that cannot go to another node, since what they keep is in files of theirs. */
@Injectable()
export class BoundChannelsService {
  private readonly known = new Map<string, { reason: string | null; untilMs: number }>();

  constructor(
    private readonly apps: AppsService,
    private readonly state: StateService,
  ) {}

  /** Those of the channels (`<app>/<channel>`) that are bound to the node that has them, and why. */
  async among(keys: readonly string[]): Promise<Map<string, string>> {
    const bound = new Map<string, string>();
    for (const key of keys) {
      const reason = await this.reasonOf(key);
      if (reason !== null) bound.set(key, reason);
    }
    return bound;
  }

  private async reasonOf(key: string): Promise<string | null> {
    const nowMs = performance.now();
    for (const [other, { untilMs }] of this.known) if (untilMs < nowMs) this.known.delete(other);
    let known = this.known.get(key);
    if (!known) this.known.set(key, (known = { reason: await this.look(key), untilMs: nowMs + KNOWN_FOR_MS }));
    return known.reason;
  }

  private async look(key: string): Promise<string | null> {
    const [name, channel] = key.split('/') as [string, ChannelName];
    // One that was deleted meanwhile is bound to nothing.
    const app = await this.apps.get(name, channel).catch(() => null);
    const stores = app ? await this.state.storesOf(app) : [];
    return stores.length > 0 ? `it keeps state in files of this node (${stores.join(', ')}); to let it move, lead its labels to stores of a service` : null;
  }
}
