import { Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import type { AppRecord } from '../apps/app.js';
import { AppsService } from '../apps/apps.service.js';
import { GrantsService } from '../runtime-config/grants.service.js';
import { mayBeProvided } from '../runtime-config/requirements.js';
import { SecretBox } from './secret-box.js';
import { type Declarations, missingVariables, type StoredVariable, toVariableViews } from './variable-views.js';
import { VariableRepository } from './variable.repository.js';
import type { VariableChange, VariableChanges, VariablesView } from './variable.schema.js';

@Injectable()
export class VariablesService {
  constructor(
    private readonly repository: VariableRepository,
    private readonly apps: AppsService,
    private readonly grants: GrantsService,
    private readonly box: SecretBox,
  ) {}

  async list(name: string): Promise<VariablesView> {
    return this.viewOf(await this.apps.get(name));
  }

  /**
   * Changes values; makes the app when it is new. What is live takes them at once: returns when every live node has. Throws
   * API_STATE_CHANGED, API_VARIABLE_REQUIRED when what is live needs a value that is removed, and API_SWITCH_TIMEOUT.
   */
  async change(name: string, changes: VariableChanges, ifMatch: string[] | undefined): Promise<VariablesView> {
    const app = await this.apps.change(name, { ifMatch, create: true }, async (db, locked) => {
      const changed = await this.store(db, locked, changes);
      if (!changed) return locked;
      for (const { version } of locked.channel.serve) await this.requireAllOf(db, locked, version);
      return { ...locked, variablesRevision: await this.apps.raiseRevision(db, locked) };
    });
    await this.apps.waitUntilTaken(app);
    return this.viewOf(app);
  }

  /**
   * Throws API_VARIABLE_REQUIRED, naming each variable of the version that has neither value nor default and that no provider may give, and
   * API_VERSION_NOT_FOUND.
   */
  async requireAllOf(db: Db, app: AppRecord, version: number): Promise<void> {
    const declared = await this.repository.declaredBy(app.id, version, db);
    if (!declared) throw new WhorlError('API_VERSION_NOT_FOUND', `${app.name} has no version ${version}`);
    if (missingVariables(declared, new Set()).length === 0) return;
    const set = new Set((await this.repository.list(app.id, db)).map((variable) => variable.name));
    const unset = missingVariables(declared, set);
    if (unset.length === 0) return;
    const grant = await this.grants.ofApp(app, db);
    const missing = unset.filter((name) => !mayBeProvided(grant, name));
    if (missing.length === 0) return;
    const fields = Object.fromEntries(missing.map((variable) => [variable, ['required, and has no value']]));
    throw new WhorlError('API_VARIABLE_REQUIRED', `${app.name} needs a value for ${missing.join(', ')}`, { fields });
  }

  /** Seals values that were given openly before a version called them secret. */
  async sealDeclared(db: Db, app: AppRecord, declared: Declarations): Promise<void> {
    if (!Object.values(declared).some((declaration) => declaration.secret)) return;
    for (const variable of await this.repository.list(app.id, db)) {
      if (variable.secret || !declared[variable.name]?.secret) continue;
      await this.repository.put(db, app.id, this.toStored(app.id, variable.name, { value: variable.value, secret: true }));
    }
  }

  /** The values of several apps, secret ones included, by app id. */
  async valuesOf(appIds: string[]): Promise<Map<string, Record<string, string>>> {
    const values = new Map(appIds.map((id) => [id, {} as Record<string, string>]));
    for (const { appId, name, secret, value } of await this.repository.listOf(appIds)) {
      values.get(appId)![name] = secret ? this.box.open(value, contextOf(appId, name)) : value;
    }
    return values;
  }

  /** False when every value is as it was. */
  private async store(db: Db, app: AppRecord, changes: VariableChanges): Promise<boolean> {
    const declared = (await this.repository.declaredBy(app.id, undefined, db)) ?? {};
    const stored = new Map((await this.repository.list(app.id, db)).map((variable) => [variable.name, variable]));
    let changed = false;
    for (const [name, change] of Object.entries(changes)) {
      const before = stored.get(name);
      if (change === null) {
        if (!before) continue;
        await this.repository.remove(db, app.id, name);
      } else {
        const secret = (before?.secret ?? false) || (declared[name]?.secret ?? false);
        const { value, secret: wanted } = toValue(change);
        if (before && !before.secret && !secret && !wanted && before.value === value) continue;
        await this.repository.put(db, app.id, this.toStored(app.id, name, { value, secret: secret || wanted }));
      }
      changed = true;
    }
    return changed;
  }

  private toStored(appId: string, name: string, { value, secret }: { value: string; secret: boolean }): StoredVariable {
    return { name, secret, value: secret ? this.box.seal(value, contextOf(appId, name)) : value };
  }

  private async viewOf(app: AppRecord): Promise<VariablesView> {
    const [declared, stored] = await Promise.all([this.repository.declaredBy(app.id, undefined), this.repository.list(app.id)]);
    return { revision: app.variablesRevision, items: toVariableViews(declared ?? {}, stored) };
  }
}

const toValue = (change: NonNullable<VariableChange>): { value: string; secret: boolean } => (typeof change === 'string' ? { value: change, secret: false } : change);
const contextOf = (appId: string, name: string): string => `${appId}\n${name}`;
