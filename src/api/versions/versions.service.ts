import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import { fitsHost, previewLane } from '#contract/hosts.js';
import { type AppName, type Digest, VersionNumber } from '#contract/ids.js';
import type { ImageTrust } from '#contract/image-trust.js';
import { type IngestedBundle, type IngestedImage, Registry } from '#contract/registry.js';
import { type Page, type PageQuery, readCursor, toPage } from '#platform/http/page.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import type { AppRecord } from '../apps/app.js';
import { AppsService } from '../apps/apps.service.js';
import { RulesService } from '../channels/rules.service.js';
import { HoldingsService } from '../collection/holdings.service.js';
import { FleetService } from '../nodes/fleet.service.js';
import type { RolloutPlan } from '../rollouts/plan.schema.js';
import { PlanService } from '../rollouts/plan.service.js';
import { RolloutsService } from '../rollouts/rollouts.service.js';
import { settingsOfManifest } from '../rollouts/settings.js';
import { VariablesService } from '../variables/variables.service.js';
import { toBuildViews } from './build-views.js';
import { StoresService } from '../stores/stores.service.js';
import { GrantsService } from '../runtime-config/grants.service.js';
import { fileWarnings } from './file-warnings.js';
import { limitWarnings } from './limits-given.js';
import { describeSource, isOlder, type SourceQuery, toSource } from './source.js';
import { versionState } from './version-state.js';
import { type VersionRecord, VersionRepository } from './version.repository.js';
import type { PushAnswer, PushQuery, VersionSummary, VersionView } from './version.schema.js';

export interface VersionCall extends PushQuery {
  pushedBy: string;
  /** Entity tags, one of which must be the app's. */
  ifMatch?: string[] | undefined;
  /** Of the idempotency key: see `RolloutCall`. */
  requestId?: string | undefined;
}

export interface PushCall extends VersionCall {
  body: AsyncIterable<Uint8Array>;
  /** Content-Length; 0: it does not say. */
  declaredBytes: number;
  /** Aborts when the client goes before its body is complete. */
  signal: AbortSignal;
}

export interface ImageCall extends VersionCall {
  image: string;
  /** Hosts that the built-in registry is reached at. */
  hosts: readonly string[];
  signal: AbortSignal;
}

/** Of what was pushed and how. */
type MakeCall = Pick<VersionCall, 'pushedBy'> & Partial<Pick<VersionCall, 'rollout' | 'onFreeze' | 'force' | 'requestId'> & SourceQuery> & { channel?: string | undefined };

/** What was made of something that was pushed. */
export interface MadeVersion {
  number: number;
  /** False for what is a version already. */
  created: boolean;
  /** That it began or joined. */
  rollout: Awaited<ReturnType<RolloutsService['start']>>;
}

@Injectable()
export class VersionsService {
  // oxlint-disable-next-line max-params -- what is injected, one feature each
  constructor(
    private readonly repository: VersionRepository,
    private readonly apps: AppsService,
    private readonly rollouts: RolloutsService,
    private readonly variables: VariablesService,
    private readonly registry: Registry,
    private readonly fleet: FleetService,
    private readonly stores: StoresService,
    private readonly grants: GrantsService,
    private readonly holdings: HoldingsService,
    private readonly plans: PlanService,
    private readonly rules: RulesService,
  ) {}

  /**
   * Takes a bundle in and makes it a version of the app, which is made when it is new; rolls it out unless told otherwise. `created` is
   * false for bytes that are a version already. Throws what the registry refuses, API_VARIABLE_REQUIRED, API_STORE_LABEL_UNKNOWN and API_REQUEST_ABORTED: then
   * nothing of it is visible, a new app neither. REGISTRY_SIGNATURE_MISSING comes before the bytes, REGISTRY_QUOTA_EXCEEDED where their number is known.
   */
  async push(name: string, call: PushCall): Promise<PushAnswer> {
    await this.registry.checkUnsigned(name);
    await this.holdings.requireBytesFree(call.declaredBytes);
    return this.keep(name, await this.ingest(call), call);
  }

  /** The same for an image; what its tag means is looked up now. */
  async pushImage(name: string, { image, hosts, signal, ...call }: ImageCall): Promise<PushAnswer> {
    const held = (digests: readonly Digest[]): Promise<ReadonlySet<string>> => this.holdings.held(digests);
    return this.keep(name, await this.registry.ingestImage(image, { app: name, hosts, held }, signal), call);
  }

  /** Makes a version of what the registry took in, as `push` does. */
  async keep(name: string, bundle: IngestedBundle | IngestedImage, call: VersionCall): Promise<PushAnswer> {
    const unsigned = 'image' in bundle ? reasonOf(bundle.image.trust) : await this.registry.checkUnsigned(name);
    await this.holdings.requireRoom(bundle.app);
    if (call.plan) return { created: false, view: await this.plan(name, bundle, call, [...(unsigned === undefined ? [] : [unsigned]), ...(bundle.warnings ?? [])]) };
    const { app, number, created, rollout } = await this.apps.change(name, { channel: call.channel, ifMatch: call.ifMatch, create: true }, async (db, locked) => ({ app: locked, ...(await this.make(db, locked, bundle, call)) }));
    const waited = rollout && (await this.rollouts.wait(app, rollout, call.wait));
    const { app: appName, version, digest, state, reason } = await this.summary(name, number);
    const [limits, nodes, grant] = await Promise.all([this.fleet.limits(), this.fleet.live(), this.grants.ofApp(app)]);
    const warnings = [...(unsigned === undefined ? [] : [unsigned]), ...(bundle.warnings ?? []), ...limitWarnings(bundle.app, limits), ...fileWarnings(bundle.app, grant, nodes.length)];
    const asks = waited?.state === 'paused' && waited.phase === 'awaiting-approval' ? { asks: waited.asks ?? [] } : undefined;
    const operation = waited && (await this.rollouts.operationOf(waited));
    const under = waited && waited.endedAt === null ? { rollout: Number(waited.id), ...(operation !== undefined && { operation }) } : undefined;
    return { created, view: { app: appName, version, digest, state, ...(reason && { reason }), ...under, ...asks, url: this.apps.urlOf(name, app.channel.channel), warnings } };
  }

  /** Makes the version in a transaction that has locked the app, and begins its rollout unless told otherwise. Throws API_VARIABLE_REQUIRED, API_STORE_LABEL_UNKNOWN, BUNDLE_MANIFEST_INVALID. */
  async make(db: Db, locked: AppRecord, bundle: IngestedBundle | IngestedImage, call: MakeCall): Promise<MadeVersion> {
    const { pushedBy } = call;
    const known = await this.repository.findByDigest(db, locked.id, bundle.digest);
    // It is of the version, whether it is rolled out now or later.
    settingsOfManifest(bundle.manifest);
    const number = known ?? (await this.repository.create(db, locked, bundle, pushedBy));
    const isAwaited = await this.repository.builds.put({ appId: locked.id, number, engine: this.registry.engine }, bundle.builds, db);
    if (isAwaited) await this.repository.builds.announce(db);
    // Somebody may have signed it since.
    if (known !== undefined && 'image' in bundle) await this.repository.setTrust(db, locked.id, known, bundle.image.trust);
    if (known === undefined) await this.variables.sealDeclared(db, locked, bundle.app.variables);
    await this.noteSource(db, locked, number, call);
    await this.holdings.note(db, locked, number, bundle.app);
    await this.stores.noteDefaults(db, locked, [number]);
    const before = await this.rollouts.begunBy(db, call.requestId);
    if (before && before.version !== number) throw new WhorlError('API_IDEMPOTENCY_KEY_REUSED', 'the key was used for a request with another body');
    return { number, created: known === undefined, rollout: before ?? (call.rollout === 'none' ? undefined : await this.rollOut(db, locked, number, call)) };
  }

  async list(name: string, { limit, cursor }: PageQuery): Promise<Page<VersionSummary>> {
    const app = await this.apps.get(name);
    const rows = await this.repository.list(app.id, readCursor(cursor, z.coerce.number().pipe(VersionNumber)), limit + 1);
    return toPage(rows, limit, (row) => String(row.number), (row) => toSummary(app, row));
  }

  /** Throws API_APP_NOT_FOUND, API_VERSION_NOT_FOUND. */
  async get(name: string, number: number): Promise<VersionView> {
    const app = await this.apps.get(name);
    const found = await this.repository.find(app.id, number);
    if (!found) throw new WhorlError('API_VERSION_NOT_FOUND', `${name} has no version ${number}`);
    const [builds, maxima] = await Promise.all([this.repository.builds.list(app.id, number), this.fleet.limits()]);
    return { ...toSummary(app, found), ...toBuildViews(found, builds, { engine: this.registry.engine, maxima }), trust: found.trust, previewUrl: this.previewUrlOf(name, number), url: this.apps.urlOf(name) };
  }

  /** What a push would change; the bytes that it took in stay until the collector takes them, nothing else does. */
  private plan(name: string, bundle: IngestedBundle | IngestedImage, call: VersionCall, warnings: string[]): Promise<RolloutPlan> {
    return this.plans.of(this.apps.change(name, { channel: call.channel, ifMatch: call.ifMatch, create: true }, async (db, app) => {
      const { serve: serving } = app.channel;
      const { number: version, created: isNew, rollout } = await this.make(db, app, bundle, { ...call, requestId: undefined });
      return this.plans.made(db, { app, serving, version, isNew, rollout, isStored: call.rollout === 'none', warnings });
    }));
  }

  /** Keeps where a version comes from. Throws API_SOURCE_OLDER when it would replace something newer in the channel, unless it is forced to. */
  private async noteSource(db: Db, { id: appId, name, channel }: AppRecord, number: number, call: MakeCall): Promise<void> {
    const source = toSource(call);
    if (!source) return;
    const there = await this.repository.sourcesOf(db, channel.id);
    const newer = there.find((each) => each.number !== number && isOlder(source, each.source));
    if (newer && call.rollout !== 'none' && !call.force) {
      throw new WhorlError('API_SOURCE_OLDER', `${describeSource(source)} is older than ${describeSource(newer.source)}, which is version ${newer.number} of ${name} in the channel ${channel.channel}`);
    }
    const own = there.find((each) => each.number === number);
    if (!own || call.force || !isOlder(source, own.source)) await this.repository.setSource(db, appId, number, source);
  }

  /** Where the call says, or by the rule of the channel where the call says nothing; and in other channels by their rules. */
  private async rollOut(db: Db, locked: AppRecord, number: number, { rollout, channel, pushedBy: by, onFreeze, force, requestId }: MakeCall): Promise<MadeVersion['rollout']> {
    const isSaid = rollout !== undefined || channel !== undefined || !(await this.rules.rules(db, locked));
    const settings = rollout === undefined ? {} : { strategy: rollout };
    const begun = isSaid
      ? await this.rollouts.start(db, locked, number, { cause: 'push', causedBy: by, settings, onFreeze, force, requestId })
      : await this.rules.followIn(db, locked, { number, by, requestId });
    await this.rules.follow(db, locked, { number, by }, locked.channel.id);
    return begun;
  }

  private previewUrlOf(name: string, number: number): string | null {
    const lane = previewLane(number);
    return fitsHost(name, lane) ? this.apps.urlOf(name, lane) : null;
  }

  private async ingest({ body, signal }: PushCall): Promise<IngestedBundle> {
    try {
      return await this.registry.ingest(body, signal);
    } catch (error) {
      if (signal.aborted) throw new WhorlError('API_REQUEST_ABORTED', 'the connection ended before the bundle was complete', { cause: error });
      throw error;
    }
  }

  private async summary(name: string, number: number): Promise<VersionSummary> {
    const app = await this.apps.get(name);
    const [row] = await this.repository.list(app.id, number + 1, 1);
    if (!row) throw new WhorlError('API_APP_NOT_FOUND', `${name} was deleted meanwhile`);
    return toSummary(app, row);
  }
}

/** Why an image is not signed as the policy asks; undefined: it is, or no policy asks. */
function reasonOf(trust: ImageTrust | undefined): string | undefined {
  return trust?.state === 'unchecked' ? undefined : trust?.reason;
}

function toSummary(app: AppRecord, row: VersionRecord): VersionSummary {
  const state = versionState({ ...row, failed: row.failure !== null });
  return {
    app: app.name as AppName,
    version: row.number as VersionNumber,
    digest: row.digest,
    bytes: row.bytes,
    image: row.image,
    channels: row.channels as VersionSummary['channels'],
    source: row.source,
    pinned: row.pinned,
    state,
    ...(state === 'failed' && row.failure && { reason: row.failure }),
    pushedBy: row.pushedBy,
    createdAt: row.createdAt.toISOString(),
  };
}
