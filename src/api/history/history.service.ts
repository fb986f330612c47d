import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import type { AppName, VersionNumber } from '#contract/ids.js';
import { nameHash, parseRequestId } from '#contract/request-id.js';
import { readCursor, toPage } from '#platform/http/page.js';
import type { AppRecord } from '../apps/app.js';
import { AppsService } from '../apps/apps.service.js';
import { type DeploymentRow, HistoryRepository } from './history.repository.js';
import type { HistoryEntry, HistoryPage, HistoryQuery, RequestTrace } from './history.schema.js';

/** A node switches a moment after the control plane asked for it. */
const SWITCH_MS = 30_000;

/** What an app served when, and why. */
@Injectable()
export class HistoryService {
  constructor(
    private readonly repository: HistoryRepository,
    private readonly apps: AppsService,
  ) {}

  /** Newest first. Throws API_APP_NOT_FOUND, API_CHANNEL_NOT_FOUND, and API_INPUT_INVALID for an id of a request that is none. */
  async list(name: string, { channel, at, requestId, limit, cursor }: HistoryQuery): Promise<HistoryPage> {
    if (requestId !== undefined) return this.ofRequest(await this.apps.get(name), requestId);
    const app = await this.apps.get(name, channel);
    const below = readCursor(cursor, z.coerce.number().pipe(z.int().min(0)));
    return toPage(await this.repository.list(app.channel.id, { below, at }, limit + 1), limit, ({ generation }) => String(generation), toEntry);
  }

  private async ofRequest(app: AppRecord, id: string): Promise<HistoryPage> {
    const parsed = parseRequestId(id);
    const components = parsed && (await this.repository.components(app.id, parsed.version));
    if (!parsed || !components) {
      const message = parsed ? `${app.name} has no version ${parsed.version}` : 'expected the id of a request, as its log lines, or whorl-request-id of its answer, have it';
      throw new WhorlError('API_INPUT_INVALID', `requestId: ${message}`, { fields: { requestId: [message] } });
    }
    const { version, component, atMs } = parsed;
    const at = new Date(atMs);
    const [channels, nodes, failures] = await Promise.all([this.repository.channels(app.id), this.repository.nodes(), this.repository.platformLines(app.id, id, at)]);
    const channel = channels.find((each) => nameHash(each.name) === parsed.channelHash);
    const then = channel ? await this.repository.list(channel.id, { below: undefined, at }, 1) : [];
    // A node may have switched to what came a moment later by the control plane's clock, or from what was there a moment before.
    const around = channel ? [...(await this.repository.list(channel.id, { below: undefined, at: new Date(atMs + SWITCH_MS) }, 1)), ...(await this.repository.list(channel.id, { below: undefined, at: new Date(atMs - SWITCH_MS) }, 1))] : [];
    const request: RequestTrace = {
      id, at: at.toISOString(), app: app.name as AppName, channel: (channel?.name ?? null) as RequestTrace['channel'], version: version as VersionNumber,
      component: component === null ? null : (components[component] ?? null), node: nodes.find((node) => nameHash(node) === parsed.nodeHash) ?? null,
      wasServed: [...then, ...around].some(({ serve }) => serve.some((share) => share.version === version && share.percent > 0)), failures,
    };
    return { items: then.map(toEntry), next: null, request };
  }
}

function toEntry({ channel, serve, at, until, rolloutId, failure, ...rest }: DeploymentRow): HistoryEntry {
  return { ...rest, channel: channel as HistoryEntry['channel'], serving: serve, from: at.toISOString(), until: until?.toISOString() ?? null, rollout: rolloutId === null ? null : Number(rolloutId), reason: failure };
}
