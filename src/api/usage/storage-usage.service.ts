import { Injectable } from '@nestjs/common';
import { DEFAULT_ORG } from '#contract/ids.js';
import { type HeldBytes, StorageQuota } from '#contract/storage-quota.js';
import { StorageSampleRepository } from './storage-sample.repository.js';
import type { StorageUsageQuery, StorageUsageView } from './storage-usage.schema.js';

const MINUTE_MS = 60_000;
const SHOWN_MS = 30 * 24 * 60 * 60_000;

/** What organisations have in the artifact store. */
@Injectable()
export class StorageUsageService {
  constructor(
    private readonly samples: StorageSampleRepository,
    private readonly quota: StorageQuota,
  ) {}

  async get({ from, to }: StorageUsageQuery): Promise<StorageUsageView> {
    // The database's clock may be a little ahead.
    const last = to ?? new Date(Date.now() + MINUTE_MS);
    const [held, samples] = await Promise.all([this.quota.held(DEFAULT_ORG), this.samples.list(DEFAULT_ORG, from ?? new Date(last.getTime() - SHOWN_MS), last)]);
    return { org: DEFAULT_ORG, ...toView(held), quotaBytes: this.quota.limitBytes, samples: samples.map(({ at, ...sample }) => ({ at: at.toISOString(), ...toView(sample) })) };
  }

  /** Notes what each organisation has now. */
  async sample(): Promise<void> {
    for (const org of await this.samples.orgs()) await this.samples.put(org, await this.quota.held(org));
  }

  /** Forgets samples of before. */
  removeBefore(date: Date): Promise<number> {
    return this.samples.removeBefore(date);
  }
}

const toView = ({ versions, repositories, uploads, total }: HeldBytes) => ({ versionsBytes: versions, repositoriesBytes: repositories, uploadsBytes: uploads, totalBytes: total });
