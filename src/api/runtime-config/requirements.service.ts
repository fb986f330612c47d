import { Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import type { AppRecord } from '../apps/app.js';
import { AppsService } from '../apps/apps.service.js';
import { HoldingsService } from '../collection/holdings.service.js';
import { VariablesService } from '../variables/variables.service.js';
import { GrantsService } from './grants.service.js';
import { describeUnknown, unknownLabels } from './requirements.js';
import { RuntimeConfigRepository } from './runtime-config.repository.js';

/** What a version needs of its app and of the operator before it can be served. */
@Injectable()
export class RequirementsService {
  constructor(
    private readonly repository: RuntimeConfigRepository,
    private readonly variables: VariablesService,
    private readonly grants: GrantsService,
    private readonly holdings: HoldingsService,
    private readonly apps: AppsService,
  ) {}

  /** Throws API_VERSION_NOT_FOUND, API_VERSION_COLLECTED, API_VARIABLE_REQUIRED and API_STORE_LABEL_UNKNOWN, which name everything that is missing. `also`: variables that are going to have a value. */
  async requireAllOf(db: Db, app: AppRecord, version: number, also?: ReadonlySet<string>): Promise<void> {
    await this.holdings.requireBytes(db, app, version);
    await this.variables.requireAllOf(db, app, version, also);
    const components = await this.repository.labelsOf(db, app.id, version);
    const unknown = unknownLabels(components, await this.grants.ofApp(app, db));
    if (unknown.length === 0) return;
    const fields: Record<string, string[]> = {};
    for (const label of unknown) (fields[`component.${label.component}.${label.key}`] ??= []).push(describeUnknown(label));
    throw new WhorlError('API_STORE_LABEL_UNKNOWN', `${app.name}: ${unknown.map(describeUnknown).join('; ')}`, { fields });
  }

  /** As `requireAllOf`, for what the app serves in any channel. */
  async requireOfServed(db: Db, name: string): Promise<void> {
    for (const app of await this.apps.lanes(name, db)) for (const { version } of app.channel.serve) await this.requireAllOf(db, app, version);
  }
}
