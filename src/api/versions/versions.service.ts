import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import { type AppName, VersionNumber } from '#contract/ids.js';
import { type IngestedBundle, Registry } from '#contract/registry.js';
import { type Page, type PageQuery, readCursor, toPage } from '#platform/http/page.js';
import type { AppRecord } from '../apps/app.js';
import { AppsService } from '../apps/apps.service.js';
import { FleetService } from '../nodes/fleet.service.js';
import { RolloutsService } from '../rollouts/rollouts.service.js';
import { VariablesService } from '../variables/variables.service.js';
import { toBuildViews } from './build-views.js';
import { StoresService } from '../stores/stores.service.js';
import { GrantsService } from '../runtime-config/grants.service.js';
import { fileWarnings } from './file-warnings.js';
import { limitWarnings } from './limits-given.js';
import { versionState } from './version-state.js';
import { type VersionRecord, VersionRepository } from './version.repository.js';
import type { PushQuery, PushView, VersionSummary, VersionView } from './version.schema.js';

export interface PushCall extends PushQuery {
  pushedBy: string;
  body: AsyncIterable<Uint8Array>;
  /** Aborts when the client goes before its body is complete. */
  signal: AbortSignal;
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
  ) {}

  /**
   * Takes a bundle in and makes it a version of the app, which is made when it is new; rolls it out unless told otherwise. `created` is
   * false for bytes that are a version already. Throws what the registry refuses, API_VARIABLE_REQUIRED, API_STORE_LABEL_UNKNOWN and API_REQUEST_ABORTED: then
   * nothing of it is visible, a new app neither.
   */
  async push(name: string, call: PushCall): Promise<{ created: boolean; view: PushView }> {
    const bundle = await this.ingest(call);
    const { app, number, created, rollout } = await this.apps.change(name, { create: true }, async (db, locked) => {
      const known = await this.repository.findByDigest(db, locked.id, bundle.digest);
      const version = known ?? (await this.repository.create(db, locked, bundle, call.pushedBy));
      const isAwaited = await this.repository.builds.put({ appId: locked.id, number: version, engine: this.registry.engine }, bundle.builds, db);
      if (isAwaited) await this.repository.builds.announce(db);
      if (known === undefined) await this.variables.sealDeclared(db, locked, bundle.app.variables);
      await this.stores.noteDefaults(db, locked, [version]);
      const begun = call.rollout === 'now' ? await this.rollouts.start(db, locked, version, { cause: 'push', causedBy: call.pushedBy }) : undefined;
      return { app: locked, number: version, created: known === undefined, rollout: begun };
    });
    if (rollout) await this.rollouts.wait(app, rollout, call.wait);
    const { app: appName, version, digest, state, reason } = await this.summary(name, number);
    const [limits, nodes, grant] = await Promise.all([this.fleet.limits(), this.fleet.live(), this.grants.ofApp(app)]);
    const warnings = [...(bundle.warnings ?? []), ...limitWarnings(bundle.app, limits), ...fileWarnings(bundle.app, grant, nodes.length)];
    return { created, view: { app: appName, version, digest, state, ...(reason && { reason }), url: this.apps.urlOf(name), warnings } };
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
    return { ...toSummary(app, found), ...toBuildViews(found, builds, { engine: this.registry.engine, maxima }), url: this.apps.urlOf(name) };
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

function toSummary(app: AppRecord, row: VersionRecord): VersionSummary {
  const state = versionState({ number: row.number, rollingOut: row.rollingOut, failed: row.failure !== null }, app.channel.serve);
  return {
    app: app.name as AppName,
    version: row.number as VersionNumber,
    digest: row.digest,
    bytes: row.bytes,
    state,
    ...(state === 'failed' && row.failure && { reason: row.failure }),
    pushedBy: row.pushedBy,
    createdAt: row.createdAt.toISOString(),
  };
}
