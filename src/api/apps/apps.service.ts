import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import { hostOf } from '#contract/hosts.js';
import { type AppName, DEFAULT_CHANNEL, type VersionNumber } from '#contract/ids.js';
import type { ControlConfig } from '#platform/config.js';
import { type Page, type PageQuery, readCursor, toPage } from '#platform/http/page.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import { type Db, PrismaService } from '#platform/prisma/prisma.service.js';
import { FleetService } from '../nodes/fleet.service.js';
import { type AppRecord, requireUnchanged } from './app.js';
import { AppRepository, type ChannelChoice } from './app.repository.js';
import type { AppView } from './app.schema.js';

/** A node drains requests of a deleted app before it reports it gone. */
const REMOVE_TIMEOUT_MS = 30_000;
/** A node takes new values without starting anything anew. */
const TAKE_TIMEOUT_MS = 30_000;
const DEFAULT_PORTS = { http: 80, https: 443 };

export interface ChangeOptions {
  /** Which of its channels; without it `production`. */
  channel?: ChannelChoice | undefined;
  /** Entity tags, one of which must be the app's. */
  ifMatch?: string[] | undefined;
  /** Makes the app when it is new. */
  create?: boolean;
}

@Injectable()
export class AppsService {
  constructor(
    private readonly repository: AppRepository,
    private readonly prisma: PrismaService,
    private readonly fleet: FleetService,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
  ) {}

  /** With its channel `production`. */
  find(name: string, db?: Db): Promise<AppRecord | undefined> {
    return this.repository.find(name, DEFAULT_CHANNEL, db);
  }

  /** An app with one of its channels, `production` unless another is named. Throws API_APP_NOT_FOUND, API_CHANNEL_NOT_FOUND. */
  async get(name: string, channel: ChannelChoice = DEFAULT_CHANNEL): Promise<AppRecord> {
    return (await this.repository.find(name, channel)) ?? this.missing(name, channel);
  }

  /** The app with each of its channels, by name. Throws API_APP_NOT_FOUND. */
  async lanes(name: string, db?: Db): Promise<AppRecord[]> {
    const lanes = await this.repository.lanes(name, db);
    return lanes.length > 0 ? lanes : this.missing(name, DEFAULT_CHANNEL);
  }

  /** Makes a channel of an app that is locked. Throws API_CHANNEL_EXISTS. */
  async createChannel(db: Db, app: AppRecord, channel: string): Promise<AppRecord> {
    if (!(await this.repository.createChannel(db, app, channel))) throw new WhorlError('API_CHANNEL_EXISTS', `${app.name} has a channel ${channel}`);
    return (await this.repository.find(app.name, channel, db))!;
  }

  /** Deletes a channel of an app that is locked; `waitUntilGone` waits for the nodes. */
  removeChannel(db: Db, app: AppRecord): Promise<void> {
    return this.repository.removeChannel(db, app);
  }

  /**
   * Changes an app in one transaction: nobody else changes it until `work` is done, and when `work` throws nothing has happened. Throws
   * API_APP_NOT_FOUND, unless the app may be made, API_CHANNEL_NOT_FOUND and API_STATE_CHANGED.
   */
  change<T>(name: string, { channel = DEFAULT_CHANNEL, ifMatch, create }: ChangeOptions, work: (db: Db, app: AppRecord) => Promise<T>): Promise<T> {
    return this.prisma.transaction(async (db) => {
      let app = await this.repository.lock(db, name, channel);
      if (!app && create && ifMatch === undefined) {
        await this.repository.create(db, name);
        app = await this.repository.lock(db, name, channel);
      }
      const known = app ?? (await this.missing(name, channel, db));
      requireUnchanged(known, ifMatch);
      return work(db, known);
    });
  }

  /** The next revision of the values and the runtime configuration of an app that is locked. */
  raiseRevision(db: Db, app: Pick<AppRecord, 'id'>): Promise<number> {
    return this.repository.raiseRevision(db, app.id);
  }

  /** The same for several apps, all when no names are given; locks them, and answers them, each with each of its channels, as they are then. */
  raiseRevisions(db: Db, names: string[] | null): Promise<AppRecord[]> {
    return this.repository.raiseRevisions(db, names);
  }

  /** Returns when every live node has the app's values and runtime configuration, in each channel that serves anything. Throws API_SWITCH_TIMEOUT. */
  async waitUntilTaken({ name, variablesRevision }: AppRecord): Promise<void> {
    const lanes = await this.repository.lanes(name);
    return this.waitUntilAllTook(lanes.map((lane) => ({ ...lane, variablesRevision })));
  }

  /** As `waitUntilTaken`, for several, each with each channel. */
  async waitUntilAllTook(apps: readonly AppRecord[]): Promise<void> {
    const served = apps.filter(({ channel }) => channel.serve.length > 0);
    const late = await this.fleet.waitForRevisions(served.map(({ name, channel, variablesRevision: revision }) => ({ id: channel.id, app: name, channel: channel.channel, revision })), TAKE_TIMEOUT_MS);
    if (late.length > 0) throw new WhorlError('API_SWITCH_TIMEOUT', `the change is stored, but not yet taken by ${late.join(', ')}`);
  }

  async list({ limit, cursor }: PageQuery): Promise<Page<AppView>> {
    const rows = await this.repository.list(readCursor(cursor, z.string()) ?? '', limit + 1);
    return toPage(rows, limit, (app) => app.name, (app) => this.view(app));
  }

  /**
   * Deletes the app and returns when no live node serves any channel of it any more. Throws API_APP_NOT_FOUND, API_STATE_CHANGED, and
   * API_SWITCH_TIMEOUT when the app is deleted but a node does not confirm.
   */
  async remove(name: string, ifMatch: string[] | undefined): Promise<void> {
    const lanes = await this.change(name, { ifMatch }, async (db, locked) => {
      const all = await this.repository.lanes(name, db);
      await this.repository.remove(db, locked, all.map(({ channel }) => channel.id));
      return all;
    });
    await Promise.all(lanes.map((lane) => this.waitUntilGone(lane, name)));
  }

  /** Returns when no live node serves the channel, which is deleted. Throws API_SWITCH_TIMEOUT. */
  async waitUntilGone({ channel }: AppRecord, what: string): Promise<void> {
    const late = await this.fleet.waitUntilGone(channel, REMOVE_TIMEOUT_MS);
    if (late.length > 0) throw new WhorlError('API_SWITCH_TIMEOUT', `${what} is deleted, but still served by ${late.join(', ')}`);
  }

  view(app: AppRecord): AppView {
    return {
      name: app.name as AppName,
      url: this.urlOf(app.name),
      live: app.channel.serve,
      createdAt: app.createdAt.toISOString(),
      generation: app.channel.generation,
      latestVersion: app.lastVersion === 0 ? null : (app.lastVersion as VersionNumber),
      variablesRevision: app.variablesRevision,
      rollout: app.rollout && { ...app.rollout, version: app.rollout.version as VersionNumber },
    };
  }

  private async missing(name: string, channel: ChannelChoice, db?: Db): Promise<never> {
    if (channel === DEFAULT_CHANNEL || !(await this.find(name, db))) throw new WhorlError('API_APP_NOT_FOUND', `there is no app named ${name}`);
    throw new WhorlError('API_CHANNEL_NOT_FOUND', `${name} has no channel ${typeof channel === 'string' ? channel : 'of that id any more'}`);
  }

  /** Where users reach the app, in `production` or another lane. */
  urlOf(name: string, channel: string = DEFAULT_CHANNEL): string {
    const scheme = this.config.WHORL_PUBLIC_SCHEME;
    const port = this.config.WHORL_PUBLIC_PORT ?? this.config.WHORL_HTTP_PORT;
    return `${scheme}://${hostOf(name, channel, this.config.WHORL_APP_DOMAIN)}${port === DEFAULT_PORTS[scheme] ? '' : `:${port}`}/`;
  }
}
