import { describe, expect, it } from '@jest/globals';
import { fitsHost, hostOf, previewedBy, previewLane } from './hosts.js';

describe(hostOf.name, () => {
  it('keeps the plain host for production, and puts other lanes before the app', () => {
    expect(['production', 'staging', 'v7'].map((channel) => hostOf('shop', channel, 'example.org'))).toEqual(['shop.example.org', 'staging--shop.example.org', 'v7--shop.example.org']);
  });

  it('knows what no DNS label can hold', () => {
    expect(fitsHost('a'.repeat(63), 'production')).toBe(true);
    expect(fitsHost('a'.repeat(54), 'staging')).toBe(true);
    expect(fitsHost('a'.repeat(55), 'staging')).toBe(false);
  });
});

describe(previewedBy.name, () => {
  it('tells previews from channels', () => {
    expect(previewedBy(previewLane(12))).toBe(12);
    for (const channel of ['production', 'v', 'v0', 'v07', 'v1a', 'a1']) expect(previewedBy(channel)).toBeUndefined();
  });
});
