import { Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import { type AppRecord, suffixOf } from '../apps/app.js';
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

  /** Throws API_APP_NOT_FOUND, API_CHANNEL_NOT_FOUND. */
  async list(name: string, channel?: string): Promise<VariablesView> {
    return this.viewOf(await this.apps.get(name, channel), channel);
  }

  /**
   * Changes values, of all channels or of one; makes the app when it is new. What is live takes them at once: returns when every live node has. Throws
   * API_CHANNEL_NOT_FOUND, API_STATE_CHANGED, API_VARIABLE_REQUIRED when what is live needs a value that is removed, and API_SWITCH_TIMEOUT.
   */
  async change({ app: name, channel }: { app: string; channel?: string | undefined }, changes: VariableChanges, ifMatch: string[] | undefined): Promise<VariablesView> {
    const app = await this.apps.change(name, { channel, ifMatch, create: true }, async (db, locked) => {
      const changed = await this.store(db, locked, channel ?? '', changes);
      if (!changed) return locked;
      for (const lane of await this.apps.lanes(name, db)) for (const { version } of lane.channel.serve) await this.requireAllOf(db, lane, version);
      return { ...locked, variablesRevision: await this.apps.raiseRevision(db, locked) };
    });
    await this.apps.waitUntilTaken(app);
    return this.viewOf(app, channel);
  }

  /**
   * Throws API_VARIABLE_REQUIRED, naming each variable of the version that has neither value (in the channel) nor default and that no provider may give, and
   * API_VERSION_NOT_FOUND.
   */
  async requireAllOf(db: Db, app: AppRecord, version: number): Promise<void> {
    const declared = await this.repository.declaredBy(app.id, version, db);
    if (!declared) throw new WhorlError('API_VERSION_NOT_FOUND', `${app.name} has no version ${version}`);
    if (missingVariables(declared, new Set()).length === 0) return;
    const set = new Set((await this.repository.list(app.id, app.channel.channel, db)).map((variable) => variable.name));
    const unset = missingVariables(declared, set);
    if (unset.length === 0) return;
    const grant = await this.grants.ofApp(app, db);
    const missing = unset.filter((name) => !mayBeProvided(grant, name));
    if (missing.length === 0) return;
    const fields = Object.fromEntries(missing.map((variable) => [variable, ['required, and has no value']]));
    throw new WhorlError('API_VARIABLE_REQUIRED', `${app.name}${suffixOf(app)} needs a value for ${missing.join(', ')}`, { fields });
  }

  /** Seals values that were given openly before a version called them secret. */
  async sealDeclared(db: Db, app: AppRecord, declared: Declarations): Promise<void> {
    if (!Object.values(declared).some((declaration) => declaration.secret)) return;
    for (const variable of await this.repository.listAll(app.id, db)) {
      if (variable.secret || !declared[variable.name]?.secret) continue;
      await this.repository.put(db, app.id, this.toStored(app.id, { ...variable, secret: true }));
    }
  }

  /** The values of several channels, secret ones included, in their order. */
  async valuesOf(channels: readonly { appId: string; channel: string }[]): Promise<Record<string, string>[]> {
    const stored = Map.groupBy(await this.repository.listOf([...new Set(channels.map(({ appId }) => appId))]), ({ appId }) => appId);
    return channels.map(({ appId, channel }) => {
      // Those of the channel come after those of all.
      const held = (stored.get(appId) ?? []).filter((variable) => variable.channel === '' || variable.channel === channel);
      const counting = new Map(held.map((variable) => [variable.name, variable]));
      return Object.fromEntries(Array.from(counting.values(), (variable) => [variable.name, variable.secret ? this.box.open(variable.value, contextOf(appId, variable)) : variable.value]));
    });
  }

  /** False when every value is as it was. */
  private async store(db: Db, app: AppRecord, channel: string, changes: VariableChanges): Promise<boolean> {
    const declared = (await this.repository.declaredBy(app.id, undefined, db)) ?? {};
    const known = await this.repository.listAll(app.id, db);
    const stored = new Map(known.filter((variable) => variable.channel === channel).map((variable) => [variable.name, variable]));
    // A name that is secret anywhere is secret everywhere.
    const secrets = new Set(known.filter(({ secret }) => secret).map(({ name }) => name));
    let changed = false;
    for (const [name, change] of Object.entries(changes)) {
      const before = stored.get(name);
      if (change === null) {
        if (!before) continue;
        await this.repository.remove(db, app.id, { channel, name });
      } else {
        const secret = secrets.has(name) || (declared[name]?.secret ?? false);
        const { value, secret: wanted } = toValue(change);
        if (before && !before.secret && !secret && !wanted && before.value === value) continue;
        await this.repository.put(db, app.id, this.toStored(app.id, { channel, name, value, secret: secret || wanted }));
      }
      changed = true;
    }
    return changed;
  }

  /** @param variable with its value in the open */
  private toStored(appId: string, variable: StoredVariable): StoredVariable {
    return variable.secret ? { ...variable, value: this.box.seal(variable.value, contextOf(appId, variable)) } : variable;
  }

  private async viewOf(app: AppRecord, channel: string | undefined): Promise<VariablesView> {
    const [declared, stored] = await Promise.all([this.repository.declaredBy(app.id, undefined), this.repository.list(app.id, channel)]);
    return { revision: app.variablesRevision, items: toVariableViews(declared ?? {}, stored) };
  }
}

const toValue = (change: NonNullable<VariableChange>): { value: string; secret: boolean } => (typeof change === 'string' ? { value: change, secret: false } : change);
const contextOf = (appId: string, { channel, name }: Pick<StoredVariable, 'channel' | 'name'>): string => [appId, name, ...(channel === '' ? [] : [channel])].join('\n');
