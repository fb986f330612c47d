import { afterAll, beforeAll, describe, it } from '@jest/globals';
import type { S3Options } from '#registry/storage/s3-client.js';
import { S3Driver } from '#registry/storage/s3.driver.js';
import { hasS3, type S3Server, startS3 } from '../fixtures/servers/s3.js';
import { storageSuite } from './storage.suite.js';

/** The suite on real S3 stores: that of Debian's packages, and any other that is named as WHORL_TEST_S3=http://user:password@host:9000/bucket. */
export function s3Suite(): void {
  const named = process.env['WHORL_TEST_S3'];
  if (named) {
    const { origin, username, password, pathname } = new URL(named);
    suiteOn('s3 at WHORL_TEST_S3', () => ({ endpoint: origin, bucket: pathname.slice(1), region: 'us-east-1', accessKey: username, secretKey: password }));
  }
  if (!hasS3) {
    describe.skip('storage driver s3 (left out: radosgw, ceph-mon, ceph-osd and ceph-common are not installed)', () => it('is skipped', () => {}));
    return;
  }
  describe('on Ceph', () => {
    let server: S3Server;
    beforeAll(async () => {
      server = await startS3()!;
    });
    afterAll(() => server?.stop());
    suiteOn('s3', () => server);
  });
}

function suiteOn(name: string, options: () => S3Options): void {
  const open = async () => new S3Driver({ ...options(), presignEndpoint: options().endpoint });
  storageSuite(name, async () => ({ driver: await open(), another: open, close: async () => {} }));
}
