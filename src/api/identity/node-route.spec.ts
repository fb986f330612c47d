import { describe, expect, it } from '@jest/globals';
import { isNodeRoute } from './node-route.js';

describe(isNodeRoute, () => {
  it.each([
    ['GET', '/v1/nodes/web-1/assignments?wait=25&after=x'], ['PUT', '/v1/nodes/web-1/report'], ['POST', '/v1/nodes/web-1/certificate'], ['GET', '/v1/nodes/ca'],
    ['GET', `/v1/blobs/sha256:${'0'.repeat(64)}`], ['POST', '/v1/nodes/web-1/store-requests/1'],
  ])('lets nodes %s %s', (method, url) => {
    expect(isNodeRoute(method, url)).toBe(true);
  });

  it.each([
    ['GET', '/v1/apps'], ['POST', '/v1/nodes/join-tokens'], ['DELETE', '/v1/nodes/web-1/identity'], ['POST', '/v1/nodes/ca/rotate'], ['GET', '/docs'], ['GET', '/openapi.json'],
    ['DELETE', '/v1/nodes/web-1/report'], ['GET', '/v1/nodes/web-1/assignments/../../../apps'], ['GET', '/v2/'], ['GET', '*'],
  ])('knows no %s %s', (method, url) => {
    expect(isNodeRoute(method, url)).toBe(false);
  });
});
