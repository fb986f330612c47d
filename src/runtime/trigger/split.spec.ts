import { describe, expect, it } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import { hash32 } from './hash32.js';
import { Split } from './split.js';
import type { AppLane } from './version-host.js';

const laneOf = (newest: number, keyHeader?: string): AppLane =>
  ({ app: 'shop', channel: 'production', serve: [{ version: 1, percent: 90 }, { version: newest, percent: 10 }], ...(keyHeader !== undefined && { keyHeader }) }) as unknown as AppLane;
const request = (remoteAddress: string, headers: Record<string, string> = {}) => ({ headers, socket: { remoteAddress } }) as unknown as IncomingMessage;
const addresses = Array.from({ length: 4_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);

describe(Split.name, () => {
  const split = new Split(laneOf(2), null);

  it('spreads clients evenly, a tenth over each tenth', () => {
    const tenths = Array.from({ length: 10 }, () => 0);
    for (const address of addresses) tenths[Math.floor(split.choose(request(address)).position / 10)]!++;
    for (const count of tenths) expect(Math.abs(count - 400)).toBeLessThan(100);
  });

  it('puts clients into groups by the eighth of the order where they stand', () => {
    for (const address of addresses.slice(0, 100)) {
      const { group, position } = split.choose(request(address));
      expect(group).toBe(Math.floor(position / 12.5));
    }
  });

  it('keeps a client where it is by the cookie, whatever its address is later, and by its address as long as it sends none', () => {
    const first = split.choose(request('10.0.0.1'));
    expect(split.choose(request('10.0.0.1'))).toEqual(first);
    const cookie = first.setCookie!.split(';')[0]!;
    for (const sent of [cookie, `a=b; ${cookie}`, `${cookie};c=d`]) expect(split.choose(request('10.9.9.9', { cookie: sent }))).toEqual({ ...first, setCookie: null });
  });

  it('takes no cookie that it has not made for its own, and nothing of another name', () => {
    const first = split.choose(request('10.0.0.1'));
    for (const cookie of ['whorl-rollout=', 'whorl-rollout=../../..', 'whorl-rollout=ABCDEF01', 'xwhorl-rollout=00000000', 'whorl-rollout=000000000']) {
      expect(split.choose(request('10.0.0.1', { cookie }))).toEqual(first);
    }
  });

  it('goes by the header field that the app names, before cookie and address', () => {
    const named = new Split(laneOf(2, 'X-User'), null);
    const ada = named.choose(request('10.0.0.1', { 'x-user': 'ada' }));
    expect(named.choose(request('10.7.7.7', { 'x-user': 'ada', cookie: 'whorl-rollout=00000000' }))).toEqual(ada);
    expect(ada.setCookie).toBeNull();
    expect(named.choose(request('10.0.0.1')).setCookie).not.toBeNull();
  });

  it('has another order for each new version, and the same on every node and through changes of shares', () => {
    const again = new Split({ ...laneOf(2), serve: [{ version: 1, percent: 40 }, { version: 2, percent: 60 }] } as AppLane, split);
    const other = new Split(laneOf(3), split);
    const at = (which: Split) => addresses.map((address) => which.choose(request(address)).position);
    expect(at(again)).toEqual(at(split));
    expect(again.samples).toBe(split.samples);
    expect(other.samples).not.toBe(split.samples);
    const both = addresses.filter((address) => [split, other].every((each) => each.choose(request(address)).position >= 90));
    expect(both.length).toBeLessThan(addresses.length / 50);
  });
});

describe(hash32.name, () => {
  it('stays what it is: nodes of all releases agree', () => {
    expect([hash32(''), hash32('shop/production/2/key/ada'), hash32('shop/production/2/key/bob')]).toEqual([2872998923, 2454385443, 3351907594]);
  });
});
