import { Injectable } from '@nestjs/common';
import type { AppName, ChannelName } from '#contract/ids.js';
import { Wakeups } from '#platform/wakeups.js';
import type { AppRecord } from '../apps/app.js';
import { AppsService } from '../apps/apps.service.js';
import { FleetService } from '../nodes/fleet.service.js';
import { placementAnswerTopic } from '../topics.js';
import type { LeadSummary, PlacementAnswer } from './lead/lead-summary.js';
import { PlacementRepository } from './placement.repository.js';
import type { FleetView, PlacementView } from './placement.schema.js';
import { StateService } from './state.service.js';

/** The leader answers between two passes. */
const ANSWER_TIMEOUT_MS = 5_000;

/** Where channels are, and why. */
@Injectable()
export class PlacementsService {
  constructor(
    private readonly repository: PlacementRepository,
    private readonly apps: AppsService,
    private readonly fleet: FleetService,
    private readonly state: StateService,
    private readonly wakeups: Wakeups,
  ) {}

  /** Throws API_APP_NOT_FOUND, API_CHANNEL_NOT_FOUND. */
  async show(name: string, channel: string | undefined): Promise<PlacementView> {
    const app = await this.apps.get(name, channel as ChannelName | undefined);
    const [placement, answer, ready, lead, pinnedBy] = await Promise.all([
      this.repository.find(app.channel.id), this.explain(app.channel.id), this.readyOn(app), this.repository.lead(), this.state.storesOf(app),
    ]);
    return {
      app: app.name as AppName,
      channel: app.channel.channel as ChannelName,
      generation: placement?.generation ?? 0,
      pinnedBy,
      replicas: (placement?.replicas ?? []).map((replica) => ({ ...replica, ready: !replica.leaving && ready.has(replica.node) })),
      frozen: toFrozen(lead.summary),
      summary: answer?.explanation?.summary ?? null,
      scaling: answer?.scaling ?? null,
      nodes: [...(answer?.explanation?.nodes ?? [])],
    };
  }

  /** How the scheduler is. */
  async fleetState(): Promise<FleetView> {
    const { leader, epoch, since, passedAt, isLed, summary } = await this.repository.lead();
    return {
      state: !isLed ? 'leaderless' : summary?.frozen ? 'frozen' : 'deciding',
      leader, epoch, since: since && since.toISOString(), passedAt: passedAt && passedAt.toISOString(),
      frozen: toFrozen(summary), short: summary?.short ?? { count: 0, channels: [] }, over: summary?.over ?? [], moving: summary?.moving ?? 0,
    };
  }

  private async readyOn(app: AppRecord): Promise<ReadonlySet<string>> {
    const { nodes } = await this.fleet.of(app.channel);
    return new Set(nodes.flatMap(({ node, status }) => (status && status.generation > 0 && app.channel.serve.every(({ version }) => status.prepared.includes(version)) ? [node] : [])));
  }

  /** What the leader says; null when nobody leads. */
  private async explain(channelId: string): Promise<PlacementAnswer | null> {
    const id = await this.repository.ask(channelId);
    try {
      return (await this.wakeups.wait([placementAnswerTopic(id)], () => this.repository.answer(id), { timeoutMs: ANSWER_TIMEOUT_MS })) ?? null;
    } finally {
      await this.repository.forget(id);
    }
  }
}

const toFrozen = (summary: LeadSummary | null): FleetView['frozen'] => (summary?.frozen ? { since: new Date(summary.frozen.sinceMs).toISOString(), reason: summary.frozen.reason } : null);
