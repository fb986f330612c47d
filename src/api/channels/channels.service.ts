import { Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import { fitsHost } from '#contract/hosts.js';
import { type AppName, DEFAULT_CHANNEL, type VersionNumber } from '#contract/ids.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import { type AppRecord, etagOf } from '../apps/app.js';
import { AppsService } from '../apps/apps.service.js';
import { DeployOnPushService } from '../deploy-on-push/deploy-on-push.service.js';
import type { ChannelLock, LockRequest } from './channel-lock.js';
import type { ChannelRule } from './channel-rule.js';
import { ChannelRepository } from './channel.repository.js';
import type { ChannelPatch, ChannelView, DeletedChannel } from './channel.schema.js';
import { frozenAt } from './freeze-window.js';
import { RulesService } from './rules.service.js';

/** Which channel, who asks, and on which condition. */
export interface ChannelCall {
  app: string;
  channel: string;
  ifMatch?: string[] | undefined;
  /** Name of the token. */
  by: string;
}

export interface ShownChannel {
  view: ChannelView;
  etag: string;
}

/** The named lanes of an app, each with a host of its own. */
@Injectable()
export class ChannelsService {
  constructor(
    private readonly repository: ChannelRepository,
    private readonly apps: AppsService,
    private readonly rules: RulesService,
    private readonly pushes: DeployOnPushService,
  ) {}

  /** Throws API_APP_NOT_FOUND. */
  async list(app: string): Promise<ChannelView[]> {
    return Promise.all((await this.apps.lanes(app)).map(async (lane) => (await this.show(lane)).view));
  }

  /** Throws API_APP_NOT_FOUND, API_CHANNEL_NOT_FOUND. */
  async get(app: string, channel: string): Promise<ShownChannel> {
    return this.show(await this.apps.get(app, channel));
  }

  /** Makes a channel, and begins what its rule comes to. Throws API_APP_NOT_FOUND, API_CHANNEL_EXISTS, API_INPUT_INVALID, and what a rollout that cannot begin does. */
  async create({ app: name, channel, by }: ChannelCall, settings: ChannelPatch): Promise<ShownChannel> {
    if (!fitsHost(name, channel)) {
      const message = `${channel}--${name} is no name of a host: a DNS label has 63 characters at most`;
      throw new WhorlError('API_INPUT_INVALID', message, { fields: { name: [message] } });
    }
    await this.apps.change(name, {}, async (db, app) => this.set(db, await this.apps.createChannel(db, app, channel), settings, by));
    return this.get(name, channel);
  }

  /** Changes what is given; a new rule begins what it comes to. Throws as `get` does, API_STATE_CHANGED, and what a rollout that cannot begin does. */
  async patch({ app: name, channel, ifMatch, by }: ChannelCall, settings: ChannelPatch): Promise<ShownChannel> {
    await this.apps.change(name, { channel, ifMatch }, (db, lane) => this.set(db, lane, settings, by));
    return this.get(name, channel);
  }

  /** Refuses rollouts from now on, or opens the channel (null). Throws as `get` does, and API_STATE_CHANGED. */
  async lock({ app: name, channel, ifMatch, by }: ChannelCall, request: LockRequest | null): Promise<ShownChannel> {
    await this.apps.change(name, { channel, ifMatch }, async (db, lane) => {
      const at = (await this.repository.settings(lane.channel.id, db)).now.toISOString();
      const lock: ChannelLock | null = request && { reason: request.reason, until: request.until ?? null, rollback: request.rollback, by, at };
      await this.repository.change(db, lane.channel.id, { lock });
    });
    return this.get(name, channel);
  }

  /**
   * Deletes a channel, or says what would go. Returns when no live node serves it any more. Throws as `get` does, API_CHANNEL_PERMANENT, API_STATE_CHANGED,
   * API_SWITCH_TIMEOUT.
   */
  async remove({ app: name, channel, ifMatch }: Omit<ChannelCall, 'by'>, plan: boolean): Promise<DeletedChannel> {
    if (channel === DEFAULT_CHANNEL) throw new WhorlError('API_CHANNEL_PERMANENT', `${DEFAULT_CHANNEL} is the channel that every app has`);
    const { lane, gone } = await this.apps.change(name, { channel, ifMatch }, async (db, locked) => {
      const [{ rule }, belongings] = [await this.view(locked, db), await this.repository.belongings(db, locked.id, locked.channel)];
      if (!plan) await this.apps.removeChannel(db, locked);
      return { lane: locked, gone: { rule, ...belongings } };
    });
    if (!plan) await this.apps.waitUntilGone(lane, `the channel ${channel} of ${name}`);
    const { app, url, live, rollout } = await this.view(lane);
    return { app, name: channel as ChannelView['name'], deleted: !plan, url, live, rollout, ...gone };
  }

  /** In a transaction that has locked the app. */
  private async set(db: Db, lane: AppRecord, { rule, freeze }: ChannelPatch, by: string): Promise<void> {
    const { id } = lane.channel;
    if (freeze !== undefined) await this.repository.change(db, id, { freeze: freeze ?? [] });
    if (rule === undefined) return;
    const isOfPushes = rule !== null && 'push' in rule;
    await this.pushes.setIn(db, lane, isOfPushes ? toTagRule(rule.push) : null, by);
    await this.repository.change(db, id, { rule: isOfPushes ? null : rule });
    await this.rules.apply(db, lane, by);
  }

  private async show(lane: AppRecord): Promise<ShownChannel> {
    return { view: await this.view(lane), etag: etagOf(lane) };
  }

  private async view(lane: AppRecord, db?: Db): Promise<ChannelView> {
    const { channel, rollout } = lane;
    const { rule, decision, lock, freeze, createdAt, now } = await this.repository.settings(channel.id, db);
    const pushes = rule ? null : await this.pushes.ruleOf(channel.id, db);
    const frozen = frozenAt(freeze, now.getTime());
    return {
      app: lane.name as AppName,
      name: channel.channel as ChannelView['name'],
      url: this.apps.urlOf(lane.name, channel.channel),
      live: channel.serve,
      previousVersion: channel.previousVersion as VersionNumber | null,
      generation: channel.generation,
      rollout: rollout && { ...rollout, version: rollout.version as VersionNumber },
      rule: rule ?? (pushes && { push: { [pushes.kind]: pushes.pattern } }),
      decision,
      lock,
      freeze,
      frozen: frozen && { reason: frozen.reason, until: new Date(frozen.untilMs).toISOString() },
      createdAt: createdAt.toISOString(),
    };
  }
}

function toTagRule({ tags, semver }: Extract<ChannelRule, { push: unknown }>['push']): Parameters<DeployOnPushService['setIn']>[2] {
  return tags === undefined ? { kind: 'semver', pattern: semver! } : { kind: 'tags', pattern: tags };
}
