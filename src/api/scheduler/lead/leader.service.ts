import { hostname } from 'node:os';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import type { ControlConfig } from '#platform/config.js';
import { Lifetime } from '#platform/lifetime.js';
import { Log } from '#platform/log.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import { withSessionLock } from '#platform/prisma/session-lock.js';
import { Wakeups } from '#platform/wakeups.js';
import { PLACEMENT_QUESTIONS_TOPIC, STAMPS_TOPIC } from '../../topics.js';
import type { FleetMemory } from '../placement/fleet-memory.js';
import { DEFAULT_SETTINGS } from '../placement/placement-settings.js';
import type { Placement } from '../placement/placement.js';
import { Placer } from '../placement/placer.js';
import { Autoscaler, type Scalable } from './autoscaler.js';
import { BASE_DEMAND } from './demand.js';
import { isSameFleet, toSummary } from './lead-summary.js';
import { LeadStore, type LeadWrite } from './lead-store.repository.js';
import { World } from './world.js';
import { WorldService } from './world.service.js';

/** Of the advisory lock that the leader holds. */
const LEADER_LOCK_KEY = 72707374;
/** Without anything new: nodes are judged by time alone. */
const TICK_MS = 1_000;
/** Passes are so far apart at least; what comes meanwhile goes into the next. */
const SPACING_MS = 25;
/** How often loads are looked at. */
const SCALE_EVERY_MS = 2_000;
const RETRY_MS = 500;

/** The loop that decides where channels are: in one control plane of the fleet at a time. */
@Injectable()
export class LeaderService implements OnApplicationBootstrap {
  /** Tells this process from others, for people. */
  readonly name = `${hostname()}/${randomBytes(3).toString('hex')}`;
  private woken = Promise.withResolvers<void>();

  // oxlint-disable-next-line max-params -- what is injected
  constructor(
    private readonly world: WorldService,
    private readonly wakeups: Wakeups,
    private readonly lifetime: Lifetime,
    private readonly log: Log,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
  ) {}

  onApplicationBootstrap(): void {
    void this.run(this.lifetime.signal);
  }

  /** Leads whenever nobody else does. */
  private async run(signal: AbortSignal): Promise<void> {
    const ends = [STAMPS_TOPIC, PLACEMENT_QUESTIONS_TOPIC].map((topic) => this.wakeups.subscribe(topic, () => this.woken.resolve()));
    while (!signal.aborted) {
      try {
        await withSessionLock(this.config.DATABASE_URL, LEADER_LOCK_KEY, (lost, session) => this.lead(new LeadStore(session), AbortSignal.any([signal, lost])));
      } catch (error) {
        if (!signal.aborted) this.log.warn('the scheduler begins anew from the database', { error });
      }
      await sleep(RETRY_MS, undefined, { signal, ref: false }).catch(() => {});
    }
    for (const end of ends) end();
  }

  private async lead(store: LeadStore, signal: AbortSignal): Promise<void> {
    const epoch = await store.takeOver(this.name);
    this.log.info('leads the scheduler', { leader: this.name, epoch });
    const before = await store.placement();
    const placer = new Placer(before, DEFAULT_SETTINGS);
    const world = new World();
    const scaler = new Autoscaler();
    let scaledMs: number | undefined;
    // Until it has measured for itself, a new leader asks for what is there.
    for (const [id, active] of activeIn(before)) world.measure(id, { wanted: active, demand: BASE_DEMAND });
    let fleet: FleetMemory | undefined;
    let summary = '';
    let committedMs = 0;
    while (!signal.aborted) {
      this.woken = Promise.withResolvers();
      const news = await this.world.read(world);
      if (scaledMs === undefined) for (const [id, active] of activeIn(before)) scaler.resume(id, active, news.nowMs);
      if (scaledMs === undefined || news.nowMs - scaledMs >= SCALE_EVERY_MS) {
        await this.scale(scaler, world, placer, news.nowMs);
        scaledMs = news.nowMs;
      }
      const decisions = placer.pass(news);
      if (signal.aborted) return;
      const next = toSummary(decisions, (id) => nameOf(world, id));
      const write = {
        ...decisions,
        nowMs: news.nowMs,
        fleet: isSameFleet(fleet, decisions.fleet) ? undefined : decisions.fleet,
        summary: JSON.stringify(next) === summary ? undefined : next,
      };
      if (news.nowMs - committedMs >= TICK_MS || !isEmpty(write)) {
        await store.commit(write);
        committedMs = news.nowMs;
      }
      if (decisions.fleet.frozen && !fleet?.frozen) this.log.error('the scheduler has stopped', { reason: decisions.fleet.frozen.reason });
      if (!decisions.fleet.frozen && fleet?.frozen) this.log.info('the scheduler goes on');
      fleet = decisions.fleet;
      summary = JSON.stringify(next);
      for (const { id, channelId } of await store.questions()) await store.answer(id, { explanation: placer.explain(channelId) ?? null, scaling: scaler.reasonOf(channelId) ?? null });
      await this.nextTurn(signal);
    }
  }

  /** What the autoscaler asks for goes into the next pass. */
  private async scale(scaler: Autoscaler, world: World, placer: Placer, nowMs: number): Promise<void> {
    const measures = await this.world.measures(world);
    const active = activeIn(placer.placement());
    const find = (id: string): Scalable | undefined => {
      const channel = world.find(id);
      return channel && { min: channel.scale?.min ?? 0, max: channel.scale?.max ?? null, active: active.get(id) ?? 0 };
    };
    for (const [id, demand] of scaler.step({ nowMs, nodes: world.nodeCount, measures, find })) world.measure(id, demand);
  }

  private async nextTurn(signal: AbortSignal): Promise<void> {
    const pause = (ms: number): Promise<void> => sleep(ms, undefined, { signal, ref: false }).catch(() => {});
    await pause(SPACING_MS);
    const turn = new AbortController();
    await Promise.race([this.woken.promise, sleep(TICK_MS, undefined, { signal: AbortSignal.any([signal, turn.signal]), ref: false }).catch(() => {})]);
    turn.abort();
  }
}

/** Active replicas by channel. */
function activeIn({ channels }: Placement): Map<string, number> {
  const counts = [...channels].map(([id, { replicas }]) => [id, replicas.filter(({ active, leaving }) => active && !leaving).length] as const);
  return new Map(counts.filter(([, count]) => count > 0));
}

/** Nothing but the time has changed. */
const isEmpty = ({ changed, homes, fleet, summary }: LeadWrite): boolean => changed.size === 0 && homes.size === 0 && !fleet && !summary;

function nameOf(world: World, id: string): string | undefined {
  const row = world.find(id)?.row;
  return row && `${row.app}/${row.channel}`;
}
