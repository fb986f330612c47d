import { describe, expect, it } from '@jest/globals';
import { QuotaService } from './quota.service.js';

const held = (total: number) => ({ of: async () => ({ versions: total, repositories: 0, uploads: 0, total }) });

describe(QuotaService.name, () => {
  it('lets in what fits, and refuses what does not with the figures', async () => {
    const quota = new QuotaService(held(60), 100);
    await quota.require('default', 40);
    await expect(new QuotaService(held(60), 100).require('default', 41)).rejects.toMatchObject({
      code: 'REGISTRY_QUOTA_EXCEEDED', message: 'default keeps 60 of 100 bytes; 41 more do not fit',
    });
  });

  it('counts what it let in until it looks again, but not what was only announced', async () => {
    let nowMs = 0;
    const quota = new QuotaService(held(60), 100, () => nowMs);
    await quota.require('default', 40, { isAnnounced: true });
    await quota.require('default', 30);
    await expect(quota.require('default', 20)).rejects.toMatchObject({ code: 'REGISTRY_QUOTA_EXCEEDED' });
    nowMs = 10_000;
    await quota.require('default', 20);
  });

  it('looks at nothing where there is no bound', async () => {
    const quota = new QuotaService({ of: () => Promise.reject(new Error('asked')) }, null);
    await quota.require('default', Number.MAX_SAFE_INTEGER);
  });
});
