import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import { Registry } from '#contract/registry.js';
import { Log } from '#platform/log.js';
import { HealthRepository } from './health.repository.js';

/** A dependency that needs longer is as good as gone to whoever asks. */
const CHECK_TIMEOUT_MS = 2_000;

@Injectable()
export class HealthService {
  constructor(
    private readonly repository: HealthRepository,
    private readonly registry: Registry,
    private readonly log: Log,
  ) {}

  /** Throws API_NOT_READY, naming what cannot be reached. */
  async requireReady(): Promise<void> {
    const checks: [name: string, check: Promise<void>][] = [
      ['the database', this.repository.check()],
      ['the artifact store', this.registry.check()],
    ];
    const results = await Promise.all(checks.map(async ([name, check]) => ((await this.passes(name, check)) ? undefined : name)));
    const failed = results.filter((name) => name !== undefined);
    if (failed.length > 0) throw new WhorlError('API_NOT_READY', `cannot reach ${failed.join(' and ')}`);
  }

  private async passes(name: string, check: Promise<void>): Promise<boolean> {
    const late = new AbortController();
    const timeout = sleep(CHECK_TIMEOUT_MS, undefined, { signal: late.signal }).then(() => Promise.reject(new Error('no answer in time')), () => {});
    try {
      await Promise.race([check, timeout]);
      return true;
    } catch (error) {
      this.log.warn(`cannot reach ${name}`, { error });
      return false;
    } finally {
      late.abort();
    }
  }
}
