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
/** Versions that are claimed at a time: looking for the next one takes as long as a small build where there are thousands. */
const CLAIMS = 16;
/** A claim of a process that is gone is free again after this long; one that lives renews it. */
const LEASE_MS = 30_000;
const RENEW_MS = 10_000;
/** What failed by no fault of the app's is tried again after this long. */
const RETRY_MS = 60_000;
/** Nodes are told of new builds no more often. */
const ANNOUNCE_MS = 1_000;

/**
 * Builds the versions that were built by another engine for this one: a control plane of a new release does so from its start, in the
 * background, so that nodes of that release have something to run. Any number of replicas share the work by claims in the database.
 */
@Injectable()
export class RebuildService implements OnApplicationBootstrap {
  private announcement: NodeJS.Timeout | undefined;
  private announcedAtMs = -ANNOUNCE_MS;

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
      const claims = await this.claim();
      if (claims.length > 0) {
        built += await this.buildAll(claims, signal);
        continue;
      }
      if (built > 0) this.log.info('no version is left to build for this engine', { engine: this.registry.engine, built });
      built = 0;
      await sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  private async claim(): Promise<ClaimedBuild[]> {
    try {
      return await this.repository.claim(this.registry.engine, CLAIMS, LEASE_MS);
    } catch (error) {
      this.log.warn('could not look for versions to build', { error });
      return [];
    }
  }

  /** One after the other. The number of those that are built. Never throws. */
  private async buildAll(claims: ClaimedBuild[], signal: AbortSignal): Promise<number> {
    const left = [...claims];
    const renew = (leaseMs: number): Promise<void> => this.repository.renew(left, leaseMs).catch((error: unknown) => this.log.warn('could not keep what is to be built', { error }));
    const renewal = setInterval(() => void renew(LEASE_MS), RENEW_MS);
    let built = 0;
    while (left.length > 0 && !signal.aborted) {
      if (await this.build(left[0]!, signal)) built++;
      if (!signal.aborted) left.shift();
    }
    clearInterval(renewal);
    if (left.length > 0) await renew(0);
    return built;
  }

  /** True when the version is built. Never throws. */
  private async build(claimed: ClaimedBuild, signal: AbortSignal): Promise<boolean> {
    const what = { app: claimed.appName, version: claimed.number, engine: claimed.engine };
    try {
      const builds = await this.registry.rebuild(claimed.app, signal);
      if (await this.repository.put(claimed, builds)) this.announce();
      this.log.info('a version is built for this engine', what);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      this.log.error('a version cannot be built for this engine', { ...what, error });
      const { code, message, entry } = error instanceof WhorlError ? error : new WhorlError('REGISTRY_BUILD_FAILED', (error as Error).message);
      await this.repository
        .fail(claimed, { code, message }, entry.fault === 'system' ? RETRY_MS : null)
        .catch((cause: unknown) => this.log.warn('could not note that a version is not built', { ...what, error: cause }));
      return false;
    }
  }

  /** At once, and then once in a while: each time every node looks through all that it holds. */
  private announce(): void {
    if (this.announcement) return;
    this.announcement = setTimeout(() => {
      this.announcement = undefined;
      this.announcedAtMs = performance.now();
      this.repository.announce().catch((error: unknown) => this.log.warn('could not tell the nodes of new builds', { error }));
    }, Math.max(0, this.announcedAtMs + ANNOUNCE_MS - performance.now())).unref();
  }
}
