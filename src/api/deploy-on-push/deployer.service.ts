import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import { Registry } from '#contract/registry.js';
import { Lifetime } from '#platform/lifetime.js';
import { Log } from '#platform/log.js';
import type { AppRecord } from '../apps/app.js';
import { AppsService } from '../apps/apps.service.js';
import { HoldingsService } from '../collection/holdings.service.js';
import { VersionsService } from '../versions/versions.service.js';
import { DeployOnPushRepository } from './deploy-on-push.repository.js';
import { PushLedger } from './push-ledger.service.js';
import type { TagPushRecord } from './tag-push.repository.js';

/** Apps that are deployed at the same time. */
const WIDTH = 2;
/** How often pushes that another process took, or told nobody of, are looked for. */
const LOOK_MS = 10_000;
/** A push becomes visible when its transaction ends, which began before: so far back is looked again. */
const LOOK_BACK_MS = 60_000;
/** A claim of a process that is gone is free again after this long; one that lives renews it. */
const LEASE_MS = 15_000;
const RENEW_MS = 5_000;
/** What failed by no fault of the app's is tried again after this long. */
const RETRY_MS = 30_000;
/** An image is pushed before it is signed: for so long after its push it is tried again for the sake of a signature that comes. */
const SIGNING_MS = 15 * 60_000;
const SIGNING_RETRY_MS = 10_000;
/** Who pushed what nobody noted a token of. */
const CAUSED_BY = 'deploy-on-push';

/**
 * Deploys tags that are pushed to the built-in registry, where a channel says so. The tag itself is the intent: whoever looks next goes on
 * from the tables, also after a crash. A version is made, its rollout begun and the push noted as deployed in one transaction, under a
 * claim that one control plane at a time has: so each push deploys once.
 */
@Injectable()
export class DeployerService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly due = new Set<string>();
  private readonly busy = new Set<string>();
  private readonly wakes = new EventEmitter();
  private running: Promise<unknown> = Promise.resolve();
  private stopListening = (): void => {};

  // oxlint-disable-next-line max-params -- what is injected
  constructor(
    private readonly rules: DeployOnPushRepository,
    private readonly ledger: PushLedger,
    private readonly apps: AppsService,
    private readonly versions: VersionsService,
    private readonly holdings: HoldingsService,
    private readonly registry: Registry,
    private readonly lifetime: Lifetime,
    private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    const { signal } = this.lifetime;
    this.wakes.setMaxListeners(WIDTH * 2);
    this.stopListening = this.registry.onTagPush((app) => this.wake(app));
    this.running = Promise.all([this.look(signal), ...Array.from({ length: WIDTH }, () => this.work(signal))]);
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopListening();
    await this.running;
  }

  private wake(app: string): void {
    this.due.add(app);
    this.wakes.emit('due');
  }

  /** At first all that have a rule: what was pushed while nobody looked. */
  private async look(signal: AbortSignal): Promise<void> {
    let since: Date | undefined;
    while (!signal.aborted) {
      try {
        const now = await this.rules.now();
        const pushed = since ? (await this.registry.pushedTags(since)).map(({ app }) => app) : await this.rules.apps();
        for (const app of new Set([...pushed, ...(await this.rules.appsInArrears())])) this.wake(app);
        since = new Date(now.getTime() - LOOK_BACK_MS);
      } catch (error) {
        this.log.warn('could not look for what was pushed', { error });
      }
      await sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  private async work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const app = [...this.due].find((each) => !this.busy.has(each));
      if (app === undefined) {
        await once(this.wakes, 'due', { signal }).catch(() => {});
        continue;
      }
      this.due.delete(app);
      this.busy.add(app);
      await this.deployAll(app, signal).catch((error: unknown) => this.log.warn('could not look after what was pushed', { app, error }));
      this.busy.delete(app);
      // One that was told of meanwhile waits for this.
      if (this.due.has(app)) this.wakes.emit('due');
    }
  }

  /** Deploys what is to be deployed of an app, one channel and one push after the other. */
  private async deployAll(name: string, signal: AbortSignal): Promise<void> {
    if (!(await this.apps.find(name))) return;
    for (const app of await this.apps.lanes(name)) if (await this.rules.find(app.channel.id)) await this.deployIn(app, signal);
  }

  private async deployIn(app: AppRecord, signal: AbortSignal): Promise<void> {
    const { name } = app;
    const claim = randomUUID();
    if (!(await this.rules.claim(app.channel.id, claim, LEASE_MS))) return;
    const renewal = setInterval(() => {
      this.rules.claim(app.channel.id, claim, LEASE_MS).catch((error: unknown) => this.log.warn('could not keep what is to be deployed', { app: name, error }));
    }, RENEW_MS);
    try {
      while (!signal.aborted) {
        const push = await this.ledger.next(app, LOOK_BACK_MS);
        if (!push) break;
        await this.deploy(app, push, claim, signal);
      }
    } finally {
      clearInterval(renewal);
      await this.rules.release(app.channel.id, claim).catch((error: unknown) => this.log.warn('could not give up what is to be deployed', { app: name, error }));
    }
  }

  private async deploy(app: AppRecord, push: TagPushRecord, claim: string, signal: AbortSignal): Promise<void> {
    const what = { app: app.name, channel: app.channel.channel, tag: push.tag, digest: push.digest };
    try {
      // The digest that was pushed, whatever the tag means by now.
      const image = await this.registry.ingestImage(`${app.name}:${push.tag}@${push.digest}`, { app: app.name, hosts: [] }, signal);
      await this.holdings.requireRoom(image.app);
      const version = await this.apps.change(app.name, { channel: { id: app.channel.id } }, async (db, locked) => {
        // Deleted and made again, or the rule is another one by now.
        if (locked.id !== app.id || !(await this.rules.holds(db, app.channel.id, claim))) return undefined;
        const { number } = await this.versions.make(db, locked, image, { channel: app.channel.channel, pushedBy: push.pushedBy ?? CAUSED_BY });
        await this.ledger.deployed(db, push, number);
        return number;
      });
      this.log.info(version === undefined ? 'a pushed tag is not deployed: the rule was changed' : 'deployed a tag that was pushed', { ...what, version });
    } catch (error) {
      if (signal.aborted) return;
      const { code, message, entry } = error instanceof WhorlError ? error : new WhorlError('INTERNAL', (error as Error).message, { cause: error });
      this.log.warn('a tag that was pushed cannot be deployed', { ...what, error });
      if (code.startsWith('REGISTRY_SIGNATURE_') && (await this.rules.now()).getTime() - push.pushedAt.getTime() < SIGNING_MS) await this.ledger.putOff(push, { code, message }, SIGNING_RETRY_MS);
      else await (entry.fault === 'user' ? this.ledger.failed(push, { code, message }) : this.ledger.putOff(push, { code, message }, RETRY_MS));
    }
  }
}
