import { Injectable } from '@nestjs/common';
import { KeyValueStoreConfig, SqliteDatabaseConfig } from '#contract/runtime-config.js';
import type { KeyValueBackend, SqliteBackend } from '#contract/runtime-grant.js';
import { appStoreFile, type StoreKind } from '#contract/store-file.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import { type LabelledStores, NO_STORES, toKeyValueBackend, toSqliteBackend } from '../runtime-config/merge.js';
import { DEFAULT_LABEL } from '../runtime-config/requirements.js';
import { SecretBox } from '../variables/secret-box.js';
import { type StoreRecord, StoreRepository } from './store.repository.js';

export type StoreSettings = KeyValueStoreConfig | SqliteDatabaseConfig;
export type StoreBackend = { kind: 'key-value'; backend: KeyValueBackend } | { kind: 'sqlite'; backend: SqliteBackend };

interface LabelledChannel {
  appId: string;
  app: string;
  channel: string;
}

/** Which stores stand behind the labels of apps, with what it takes to reach them. */
@Injectable()
export class StoreLinksService {
  constructor(
    private readonly repository: StoreRepository,
    private readonly box: SecretBox,
  ) {}

  /** For each channel, in their order: what is linked, and the label `default` where its file is not the one that a runner would take by itself. */
  async behindLabels(channels: readonly LabelledChannel[], db?: Db): Promise<{ links: LabelledStores; defaults: LabelledStores }[]> {
    const [linked, defaults] = await Promise.all([
      this.repository.linked([...new Set(channels.map(({ appId }) => appId))], db),
      this.repository.defaults([...new Set(channels.map(({ app }) => app))], db),
    ]);
    const links = Map.groupBy(linked, ({ appId }) => appId);
    const own = Map.groupBy(defaults.filter(({ app, kind, file }) => file !== appStoreFile(app!, kind, DEFAULT_LABEL)), ({ app }) => app);
    return channels.map(({ appId, app, channel }) => ({
      // A link of the channel comes after that of all channels, and so in its place.
      links: this.toLabelled((links.get(appId) ?? []).filter((link) => link.channel === '' || link.channel === channel).sort((a, b) => a.channel.length - b.channel.length)),
      defaults: this.toLabelled((own.get(app) ?? []).map((store) => ({ ...store, label: DEFAULT_LABEL }))),
    }));
  }

  seal(id: string, settings: StoreSettings): string {
    return this.box.seal(JSON.stringify(settings), contextOf(id));
  }

  /** What was given when the store was made. */
  settingsOf({ id, kind, settings }: StoreRecord): StoreSettings {
    const given: unknown = settings === null ? { type: 'spin' } : JSON.parse(this.box.open(settings, contextOf(id)));
    return kind === 'key-value' ? KeyValueStoreConfig.parse(given) : SqliteDatabaseConfig.parse(given);
  }

  /** What it takes to reach the store. */
  backendOf(store: StoreRecord): StoreBackend {
    const settings = this.settingsOf(store);
    const file = store.file ?? '';
    return store.kind === 'key-value'
      ? { kind: 'key-value', backend: toKeyValueBackend(settings as KeyValueStoreConfig, file) }
      : { kind: 'sqlite', backend: toSqliteBackend(settings as SqliteDatabaseConfig, file) };
  }

  private toLabelled(stores: (StoreRecord & { label: string })[]): LabelledStores {
    if (stores.length === 0) return NO_STORES;
    const of = <B>(kind: StoreKind) => Object.fromEntries(stores.filter((store) => store.kind === kind).map((store) => [store.label, this.backendOf(store).backend as B]));
    return { keyValueStores: of<KeyValueBackend>('key-value'), sqliteDatabases: of<SqliteBackend>('sqlite') };
  }
}

const contextOf = (id: string): string => `store\n${id}`;
