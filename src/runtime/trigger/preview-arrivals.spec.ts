import { describe, expect, it } from '@jest/globals';
import { readPreviewHost } from './preview-arrivals.js';

describe(readPreviewHost.name, () => {
  it('reads version and app', () => {
    expect(readPreviewHost('v7--shop.example.org', 'example.org')).toEqual({ version: 7, app: 'shop' });
    expect(readPreviewHost('v2147483647--a-b.localhost', 'localhost')).toEqual({ version: 2_147_483_647, app: 'a-b' });
  });

  it.each(['shop.localhost', 'v7--shop', 'v7--shop.other', 'v07--shop.localhost', 'v0--shop.localhost', 'v2147483648--shop.localhost', 'staging--shop.localhost', 'v7--a--b.localhost', 'v7--.localhost', 'v7--shop.a.localhost', 'v7---shop.localhost'])(
    'takes %s for none', (host) => expect(readPreviewHost(host, 'localhost')).toBeUndefined(),
  );
});
