import { Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import { type AppRecord, suffixOf } from '../apps/app.js';
import { AppsService } from '../apps/apps.service.js';
import { GrantsService } from '../runtime-config/grants.service.js';
import { mayBeProvided } from '../runtime-config/requirements.js';
import { SecretBox } from './secret-box.js';
import { type Declarations, missingVariables, type StoredVariable, toVariableViews } from './variable-views.js';
import { namesOf, type OpenVariable, type ValueChanges, valueChanges } from './variable-history.js';
import { VariableHistoryRepository } from './variable-history.repository.js';
import { VariableRepository } from './variable.repository.js';
import type { VariableChange, VariableChanges, VariablesView } from './variable.schema.js';

@Injectable()
export class VariablesService {
  constructor(
    private readonly repository: VariableRepository,
    private readonly history: VariableHistoryRepository,
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
  async change({ app: name, channel }: { app: string; channel?: string | undefined }, changes: VariableChanges, { ifMatch, causedBy }: { ifMatch: string[] | undefined; causedBy: string }): Promise<VariablesView> {
    const app = await this.apps.change(name, { channel, ifMatch, create: true }, async (db, locked) => {
      await this.noteFirst(db, locked, causedBy);
      const changed = await this.store(db, locked, channel ?? '', changes);
      if (!changed) return locked;
      for (const lane of await this.apps.lanes(name, db)) for (const { version } of lane.channel.serve) await this.requireAllOf(db, lane, version);
      const variablesRevision = await this.apps.raiseRevision(db, locked);
      await this.note(db, { appId: locked.id, revision: variablesRevision, causedBy });
      return { ...locked, variablesRevision };
    });
    await this.apps.waitUntilTaken(app);
    return this.viewOf(app, channel);
  }

  /**
   * Throws API_VARIABLE_REQUIRED, naming each variable of the version that has neither value (in the channel) nor default and that no provider may give, and
   * API_VERSION_NOT_FOUND.
   * @param also variables that are going to have a value
   */
  async requireAllOf(db: Db, app: AppRecord, version: number, also: ReadonlySet<string> = NONE): Promise<void> {
    const declared = await this.repository.declaredBy(app.id, version, db);
    if (!declared) throw new WhorlError('API_VERSION_NOT_FOUND', `${app.name} has no version ${version}`);
    if (missingVariables(declared, new Set()).length === 0) return;
    const set = new Set((await this.repository.list(app.id, app.channel.channel, db)).map((variable) => variable.name));
    const unset = missingVariables(declared, set).filter((variable) => !also.has(variable));
    if (unset.length === 0) return;
    const grant = await this.grants.ofApp(app, db);
    const missing = unset.filter((name) => !mayBeProvided(grant, name));
    if (missing.length === 0) return;
    const fields = Object.fromEntries(missing.map((variable) => [variable, ['required, and has no value']]));
    throw new WhorlError('API_VARIABLE_REQUIRED', `${app.name}${suffixOf(app)} needs a value for ${missing.join(', ')}`, { fields });
  }

  /** What a channel would get back of the values of a revision; undefined: they are not known any more. The app is locked. */
  async changesTo(db: Db, { appId, channel }: { appId: string; channel: string }, revision: number): Promise<ValueChanges | undefined> {
    const found = await this.history.at(db, appId, revision);
    if (found === 'unknown') return undefined;
    if (found === null) return { put: [], remove: [], left: [] };
    const then = JSON.parse(this.box.open(found.values, historyContextOf(appId, found.revision))) as OpenVariable[];
    return valueChanges(await this.open(db, appId), then, { channel, isOnly: await this.history.hasOneChannel(db, appId) });
  }

  /** Gives values back, as `changesTo` says. Answers the revision that they have then. The app is locked. */
  async giveBack(db: Db, { id: appId, variablesRevision }: Pick<AppRecord, 'id' | 'variablesRevision'>, changes: ValueChanges, causedBy: string): Promise<number> {
    if (namesOf(changes).length === 0) return variablesRevision;
    const secrets = new Set((await this.repository.listAll(appId, db)).filter(({ secret }) => secret).map(({ name }) => name));
    for (const variable of changes.put) await this.repository.put(db, appId, this.toStored(appId, { ...variable, secret: variable.secret || secrets.has(variable.name) }));
    for (const variable of changes.remove) await this.repository.remove(db, appId, variable);
    const revision = await this.apps.raiseRevision(db, { id: appId });
    await this.note(db, { appId, revision, causedBy });
    return revision;
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

  /** Remembers the values of now as those from a revision on. */
  private async note(db: Db, { appId, revision, causedBy }: { appId: string; revision: number; causedBy: string }): Promise<void> {
    const values = this.box.seal(JSON.stringify(await this.open(db, appId)), historyContextOf(appId, revision));
    await this.history.put(db, { appId, revision, values, causedBy });
  }

  /** Before the first change: what was there before anything was remembered. */
  private async noteFirst(db: Db, { id: appId, variablesRevision: revision }: AppRecord, causedBy: string): Promise<void> {
    if (!(await this.history.isKnown(db, appId))) await this.note(db, { appId, revision, causedBy });
  }

  private async open(db: Db, appId: string): Promise<OpenVariable[]> {
    return (await this.repository.listAll(appId, db)).map((each) => (each.secret ? { ...each, value: this.box.open(each.value, contextOf(appId, each)) } : each));
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

const NONE: ReadonlySet<string> = new Set();
const historyContextOf = (appId: string, revision: number): string => `variable-revision\n${appId}\n${revision}`;
const toValue = (change: NonNullable<VariableChange>): { value: string; secret: boolean } => (typeof change === 'string' ? { value: change, secret: false } : change);
const contextOf = (appId: string, { channel, name }: Pick<StoredVariable, 'channel' | 'name'>): string => [appId, name, ...(channel === '' ? [] : [channel])].join('\n');
