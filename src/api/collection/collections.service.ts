import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { UNSAID_ENGINES } from '#contract/assignment.js';
import { type CollectionReport, Collector } from '#contract/collection.js';
import { WhorlError } from '#contract/errors.js';
import { Registry } from '#contract/registry.js';
import type { ControlConfig } from '#platform/config.js';
import { type Page, type PageQuery, readCursor, toPage } from '#platform/http/page.js';
import { Lifetime } from '#platform/lifetime.js';
import { Log } from '#platform/log.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import { Wakeups } from '#platform/wakeups.js';
import { OperationsService } from '../operations/operations.service.js';
import { collectionTopic } from '../topics.js';
import { UploadsService } from '../uploads/uploads.service.js';
import { type CollectionRecord, CollectionRepository } from './collection.repository.js';
import type { CollectionView } from './collection.schema.js';
import { HoldingRepository, type VersionName } from './holding.repository.js';
import { type KeepPolicy, VersionPolicyRepository } from './version-policy.repository.js';

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;
/** What nobody needs may lie for some hours more; going through a large store takes a while. */
const EVERY_MS = 6 * HOUR_MS;

/** Deletes what nobody needs any more: says which versions are kept, and has the registry delete the bytes (docs/adr/0025). */
@Injectable()
export class CollectionsService {
  // oxlint-disable-next-line max-params -- what is injected
  constructor(
    private readonly collections: CollectionRepository,
    private readonly holdings: HoldingRepository,
    private readonly policy: VersionPolicyRepository,
    private readonly uploads: UploadsService,
    private readonly operations: OperationsService,
    private readonly collector: Collector,
    private readonly registry: Registry,
    private readonly lifetime: Lifetime,
    private readonly wakeups: Wakeups,
    private readonly log: Log,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
  ) {}

  /** Begins a collection; answers what it is by the time that is waited for. Throws API_COLLECTION_RUNNING. */
  async start(dryRun: boolean, requestedBy: string, waitS: number): Promise<CollectionView> {
    const begun = Promise.withResolvers<CollectionRecord | undefined>();
    this.run(dryRun, requestedBy, begun.resolve).then(() => begun.resolve(undefined), begun.reject);
    const record = await begun.promise;
    if (!record) throw new WhorlError('API_COLLECTION_RUNNING', 'there is one at a time, and one is under way');
    const ended = async (): Promise<CollectionRecord | undefined> => {
      const now = await this.collections.find(record.id);
      return now && now.state !== 'running' ? now : undefined;
    };
    const found = waitS > 0 ? await this.wakeups.wait([collectionTopic(record.id)], ended, { timeoutMs: waitS * 1000 }) : undefined;
    return toView(found ?? record);
  }

  /** The operation that a collection is. */
  operationOf(id: string): Promise<number | undefined> {
    return this.operations.ofCollection(id);
  }

  /** Collects unless somebody did so a short while ago, or does now, or all there is is too young. */
  async collectDue(): Promise<void> {
    if (!(await this.collections.isDue(EVERY_MS, this.config.WHORL_COLLECT_GRACE_HOURS * HOUR_MS))) return;
    await this.run(false, 'schedule', () => {});
  }

  /** Throws API_COLLECTION_NOT_FOUND. */
  async get(id: string): Promise<CollectionView> {
    const found = await this.collections.find(id);
    if (!found) throw new WhorlError('API_COLLECTION_NOT_FOUND', `there is no collection ${id}`);
    return toView(found);
  }

  async list({ limit, cursor }: PageQuery): Promise<Page<CollectionView>> {
    const before = readCursor(cursor, z.iso.datetime());
    const rows = await this.collections.list(before === undefined ? undefined : new Date(before), limit + 1);
    return toPage(rows, limit, (row) => row.startedAt.toISOString(), toView);
  }

  /** Forgets collections of before. */
  removeBefore(date: Date): Promise<number> {
    return this.collections.removeBefore(date);
  }

  private async run(dryRun: boolean, requestedBy: string, onBegun: (record: CollectionRecord) => void): Promise<void> {
    await this.collections.alone(async (lost) => {
      const record = await this.collections.begin(dryRun, requestedBy, (db, { id }) =>
        this.operations.begin({ kind: 'collect', target: {}, causedBy: requestedBy, collectionId: id }, db));
      onBegun(record);
      try {
        const report = await this.collect(dryRun, AbortSignal.any([lost, this.lifetime.signal]));
        await this.collections.end(record.id, { report, failure: null });
        this.log.info('collected what nobody needs', { id: record.id, dryRun, versions: report.versions, blobs: report.blobs });
      } catch (error) {
        this.log.warn('a collection failed', { id: record.id, error });
        const { code, message } = error instanceof WhorlError ? error : new WhorlError('INTERNAL', (error as Error).message);
        await this.collections.end(record.id, { report: null, failure: { code, message } });
      }
    });
  }

  private async collect(dryRun: boolean, signal: AbortSignal): Promise<CollectionReport> {
    await this.collector.check();
    const graceMs = this.config.WHORL_COLLECT_GRACE_HOURS * HOUR_MS;
    await this.holdings.noteAll();
    const isEngineKept = await this.engineRule();
    const engines = (await this.holdings.engines()).filter((engine) => !isEngineKept(engine));
    const policy = { versions: this.config.WHORL_KEEP_VERSIONS, days: this.config.WHORL_KEEP_DAYS, graceMs };
    const versions = await this.giveUp(policy, dryRun, signal);
    const builds = dryRun ? await this.holdings.countBuilds(engines) : await this.holdings.removeBuilds(engines);
    const liveUploads = new Set(await this.uploads.liveIds());
    const images = await this.policy.images(versions);
    const collected = await this.collector.collect({
      dryRun, graceMs, untaggedMs: this.config.WHORL_KEEP_UNTAGGED_DAYS * DAY_MS, images, isEngineKept, liveUploads,
      holdings: (prefix) => this.holdings.holdings(prefix, { versions: dryRun ? versions : [], engines }),
    }, signal);
    if (!dryRun) await this.holdings.forget(engines);
    return { versions: versions.length, builds, ...collected };
  }

  /** A newer release may be building for its engine already. */
  private async engineRule(): Promise<(engine: string) => boolean> {
    const asked = new Set(await this.policy.nodeEngines(UNSAID_ENGINES));
    const own = Number(this.registry.engine);
    return (engine) => asked.has(engine) || Number(engine) >= own;
  }

  private async giveUp(policy: KeepPolicy, dryRun: boolean, signal: AbortSignal): Promise<VersionName[]> {
    const expired = await this.policy.expired(policy);
    if (dryRun) return expired;
    const given: VersionName[] = [];
    for (const appId of new Set(expired.map((version) => version.appId))) {
      signal.throwIfAborted();
      given.push(...(await this.policy.giveUp(appId, policy)));
    }
    return given;
  }
}

function toView({ startedAt, endedAt, state, ...rest }: CollectionRecord): CollectionView {
  return { ...rest, state: state as CollectionView['state'], startedAt: startedAt.toISOString(), endedAt: endedAt?.toISOString() ?? null };
}
