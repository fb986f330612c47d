import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import { Registry } from '#contract/registry.js';
import type { ControlConfig } from '#platform/config.js';
import { Lifetime } from '#platform/lifetime.js';
import { Log } from '#platform/log.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import { type ClaimedBuild, VersionBuildRepository } from './version-build.repository.js';

/** How often a control plane with nothing to build looks again: another replica may have died, or be of an older release. */
const LOOK_MS = 10_000;
/** A claim of a process that is gone is free again after this long; one that lives renews it. */
const LEASE_MS = 30_000;
const RENEW_MS = 10_000;
/** What failed by no fault of the app's is tried again after this long. */
const RETRY_MS = 60_000;

/**
 * Builds the versions that were built by another engine for this one: a control plane of a new release does so from its start, in the
 * background, so that nodes of that release have something to run. Any number of replicas share the work by claims in the database.
 */
@Injectable()
export class RebuildService implements OnApplicationBootstrap {
  constructor(
    private readonly repository: VersionBuildRepository,
    private readonly registry: Registry,
    private readonly lifetime: Lifetime,
    private readonly log: Log,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
  ) {}

  onApplicationBootstrap(): void {
    // One worker stays free for pushes, where there are several.
    const width = Math.max(1, this.config.WHORL_BUILD_WORKERS - 1);
    const { signal } = this.lifetime;
    void this.forgive().then(() => Promise.all(Array.from({ length: width }, () => this.run(signal))));
  }

  private async forgive(): Promise<void> {
    await this.repository.forgive(this.registry.engine).catch((error: unknown) => this.log.warn('could not look for versions to build', { error }));
  }

  private async run(signal: AbortSignal): Promise<void> {
    let built = 0;
    while (!signal.aborted) {
      const claimed = await this.claim();
      if (claimed) {
        if (await this.build(claimed, signal)) built++;
        continue;
      }
      if (built > 0) this.log.info('no version is left to build for this engine', { engine: this.registry.engine, built });
      built = 0;
      await sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  private async claim(): Promise<ClaimedBuild | undefined> {
    try {
      return await this.repository.claim(this.registry.engine, LEASE_MS);
    } catch (error) {
      this.log.warn('could not look for versions to build', { error });
      return undefined;
    }
  }

  /** True when the version is built. Never throws. */
  private async build(claimed: ClaimedBuild, signal: AbortSignal): Promise<boolean> {
    const renewal = setInterval(() => void this.repository.renew(claimed, LEASE_MS).catch(() => {}), RENEW_MS);
    const what = { app: claimed.appName, version: claimed.number, engine: claimed.engine };
    try {
      const builds = await this.registry.rebuild(claimed.app, signal);
      await this.repository.store(claimed, builds);
      this.log.info('a version is built for this engine', what);
      return true;
    } catch (error) {
      await this.giveUp(claimed, error, signal).catch((cause: unknown) => this.log.warn('could not note that a version is not built', { ...what, error: cause }));
      return false;
    } finally {
      clearInterval(renewal);
    }
  }

  private async giveUp(claimed: ClaimedBuild, error: unknown, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return this.repository.renew(claimed, 0);
    const { code, message, entry } = error instanceof WhorlError ? error : new WhorlError('REGISTRY_BUILD_FAILED', (error as Error).message);
    this.log.error('a version cannot be built for this engine', { app: claimed.appName, version: claimed.number, engine: claimed.engine, error });
    await this.repository.fail(claimed, { code, message }, entry.fault === 'system' ? RETRY_MS : null);
  }
}
