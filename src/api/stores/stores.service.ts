import { randomBytes, randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import { appStoreFile, storeFile, type StoreKind } from '#contract/store-file.js';
import { type Page, type PageQuery, readCursor, toPage } from '#platform/http/page.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import type { AppRecord } from '../apps/app.js';
import { AppsService } from '../apps/apps.service.js';
import { maskSettings } from '../runtime-config/mask.js';
import { DEFAULT_LABEL } from '../runtime-config/requirements.js';
import { RequirementsService } from '../runtime-config/requirements.service.js';
import { readSettings } from './read-settings.js';
import { StoreLinksService, type StoreSettings } from './store-links.service.js';
import { StoreRequestsService } from './store-requests.service.js';
import { type LinkRecord, type StoreRecord, StoreRepository } from './store.repository.js';
import type { NewStore, StoreLink, StoreSettingsChange, StoreView } from './store.schema.js';

/** Stores as resources: they have names of their own, and outlive the apps whose labels lead to them. */
@Injectable()
export class StoresService {
  // oxlint-disable-next-line max-params -- what is injected
  constructor(
    private readonly repository: StoreRepository,
    private readonly links: StoreLinksService,
    private readonly apps: AppsService,
    private readonly requirements: RequirementsService,
    private readonly requests: StoreRequestsService,
    private readonly prisma: PrismaService,
  ) {}

  /** Throws API_STORE_EXISTS, and API_INPUT_INVALID for settings that the type does not take. */
  async create({ name, kind, ...given }: NewStore): Promise<StoreView> {
    const settings = readSettings(kind, given);
    const id = randomUUID();
    const isFile = settings.type === 'spin';
    const made = await this.repository.create(this.prisma, {
      id, name, kind, type: settings.type, settings: isFile ? null : this.links.seal(id, settings), file: isFile ? storeFile(id) : null, app: null,
    });
    if (!made) throw new WhorlError('API_STORE_EXISTS', `there is a store named ${name}`);
    return this.view(await this.get(name));
  }

  /** Throws API_STORE_NOT_FOUND. */
  async get(name: string): Promise<StoreRecord> {
    return found(await this.repository.find(name), name);
  }

  async list({ limit, cursor }: PageQuery): Promise<Page<StoreView>> {
    const rows = await this.repository.list(readCursor(cursor, z.string()) ?? '', limit + 1);
    const links = await this.linksBy(rows);
    return toPage(rows, limit, (store) => store.name, (store) => this.toView(store, links.get(store.id) ?? []));
  }

  async view(store: StoreRecord): Promise<StoreView> {
    return this.toView(store, (await this.linksBy([store])).get(store.id) ?? []);
  }

  /**
   * Gives a store other settings, such as a new password; its data is where they lead. Returns when every live node that serves an app which
   * is linked to it has them. Throws API_STORE_NOT_FOUND, API_INPUT_INVALID, API_SWITCH_TIMEOUT.
   */
  async changeSettings(name: string, given: StoreSettingsChange): Promise<StoreView> {
    const store = await this.get(name);
    const settings = readSettings(store.kind, given);
    if (store.file !== null || settings.type === 'spin') throw notMovable(store, settings);
    const told = await this.prisma.transaction(async (db) => {
      // Apps are locked before stores, here as everywhere.
      const apps = await this.apps.raiseRevisions(db, await this.linkedApps(store, db));
      await this.repository.changeSettings(db, store.id, settings.type, this.links.seal(store.id, settings));
      return apps;
    });
    // One that was linked meanwhile may have been given the settings of before.
    const missed = (await this.linkedApps(store)).filter((name) => !told.some((app) => app.name === name));
    if (missed.length > 0) told.push(...(await this.prisma.transaction((db) => this.apps.raiseRevisions(db, missed))));
    await this.apps.waitUntilAllTook(told);
    return this.view(await this.get(name));
  }

  /** Deletes a store and, where it is a file of nodes, its data. Throws API_STORE_NOT_FOUND, API_STORE_IN_USE. */
  async remove(name: string): Promise<void> {
    await this.prisma.transaction(async (db) => {
      const store = found(await this.repository.lock(db, name), name);
      const links = await this.repository.linksOf([store.id], db);
      const users = [...links.map(describeLink), ...(await this.ownUser(db, store))];
      if (users.length > 0) throw new WhorlError('API_STORE_IN_USE', `${name} is used by ${users.join(', ')}`);
      await this.repository.remove(db, store.id);
      if (store.file !== null) await this.requests.removeFile(db, store.file);
    });
  }

  /**
   * Leads a label of an app to the store, in the place of where it led before; makes the app when it is new. Returns when every live node has
   * it. Throws API_STORE_NOT_FOUND, API_CHANNEL_NOT_FOUND, API_SWITCH_TIMEOUT.
   */
  async link(name: string, link: StoreLink): Promise<StoreView> {
    const app = await this.apps.change(link.app, { channel: link.channel, create: true }, async (db, locked) => {
      const store = found(await this.repository.lock(db, name), name);
      await this.repository.link(db, store.id, toRecord(locked, store.kind, link));
      return { ...locked, variablesRevision: await this.apps.raiseRevision(db, locked) };
    });
    await this.apps.waitUntilTaken(app);
    return this.view(await this.get(name));
  }

  /**
   * Takes a link away. Returns when every live node has it. Throws API_STORE_LINK_NOT_FOUND, API_SWITCH_TIMEOUT, and
   * API_STORE_LABEL_UNKNOWN when what the app serves needs the label.
   */
  async unlink(name: string, link: StoreLink): Promise<void> {
    const app = await this.apps.change(link.app, {}, async (db, locked) => {
      const store = found(await this.repository.lock(db, name), name);
      if (!(await this.repository.unlink(db, store.id, toRecord(locked, store.kind, link)))) {
        throw new WhorlError('API_STORE_LINK_NOT_FOUND', `${name} is not linked to ${describeLink({ ...link, channel: link.channel ?? '' })}`);
      }
      await this.requirements.requireOfServed(db, locked.name);
      const lanes = await this.apps.lanes(locked.name, db);
      await this.noteDefaults(db, locked, lanes.flatMap(({ channel }) => channel.serve.map(({ version }) => version)));
      return { ...locked, variablesRevision: await this.apps.raiseRevision(db, locked) };
    });
    await this.apps.waitUntilTaken(app);
  }

  /** Makes the stores behind the labels `default` that these versions of the app name, so that they have a name. The app is locked. */
  async noteDefaults(db: Db, app: AppRecord, versions: number[]): Promise<void> {
    for (const kind of await this.repository.defaultKinds(db, app.id, versions)) {
      const first = appStoreFile(app.name, kind, DEFAULT_LABEL);
      const later = appStoreFile(app.name, kind, `${DEFAULT_LABEL}.${randomBytes(4).toString('hex')}`);
      const file = await this.repository.createDefault(db, app.name, kind, { first, later });
      if (file === later) await this.apps.raiseRevision(db, app);
    }
  }

  private async linksBy(stores: StoreRecord[]): Promise<Map<string, LinkRecord[]>> {
    return Map.groupBy(await this.repository.linksOf(stores.map(({ id }) => id)), ({ storeId }) => storeId);
  }

  private async linkedApps(store: StoreRecord, db?: Db): Promise<string[]> {
    return [...new Set((await this.repository.linksOf([store.id], db)).map(({ app }) => app))];
  }

  /** The app whose label `default` leads here by itself, while it is there and the label is not linked elsewhere. */
  private async ownUser(db: Db, { app: name, kind }: StoreRecord): Promise<string[]> {
    const app = name === null ? undefined : await this.apps.find(name, db);
    if (!app) return [];
    const linked = await this.repository.linked([app.id], db);
    const isElsewhere = linked.some((link) => link.kind === kind && link.label === DEFAULT_LABEL && link.channel === '');
    return isElsewhere ? [] : [`${app.name} by the label "${DEFAULT_LABEL}"`];
  }

  private toView(store: StoreRecord, links: LinkRecord[]): StoreView {
    const { type: _type, ...settings } = maskSettings<StoreSettings>(this.links.settingsOf(store));
    return {
      name: store.name,
      kind: store.kind,
      type: store.type,
      settings,
      app: store.app,
      links: links.map(({ app, channel, label }) => ({ app, channel: channel === '' ? null : channel, label })),
      createdAt: store.createdAt.toISOString(),
    };
  }
}


function found(store: StoreRecord | undefined, name: string): StoreRecord {
  if (!store) throw new WhorlError('API_STORE_NOT_FOUND', `there is no store named ${name}`);
  return store;
}

function notMovable(store: StoreRecord, { type }: StoreSettings): WhorlError {
  const message = `${store.name} is of the type ${store.type}, not ${type}: a file and a service cannot take each other's place`;
  return new WhorlError('API_INPUT_INVALID', message, { fields: { type: [message] } });
}

const toRecord = (app: AppRecord, kind: StoreKind, { channel, label }: StoreLink): Omit<LinkRecord, 'app'> => ({ appId: app.id, channel: channel ?? '', kind, label });
const describeLink = ({ app, channel, label }: Pick<LinkRecord, 'app' | 'channel' | 'label'>): string => `${app}${channel && ` (channel ${channel})`} by the label "${label}"`;
