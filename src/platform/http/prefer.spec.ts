import { describe, expect, it } from '@jest/globals';
import { readPrefer, waitOf } from './prefer.js';

const request = (prefer?: string) => ({ get: (name: string) => (name === 'prefer' ? prefer : undefined) }) as Parameters<typeof readPrefer>[0];

describe(readPrefer.name, () => {
  it.each([
    [undefined, false, undefined],
    ['respond-async', true, undefined],
    ['Respond-Async, wait=10', true, 10],
    ['return=minimal; foo="a, b", respond-async ; x=1', true, undefined],
    ['wait="7"', false, 7],
    ['respond-asynchronously', false, undefined],
  ])('reads %s', (header, respondAsync, waitS) => expect(readPrefer(request(header))).toEqual({ respondAsync, waitS }));
});

describe(waitOf.name, () => {
  const headers = new Map<string, unknown>();
  const response = { setHeader: (name: string, value: unknown) => headers.set(name, value) } as unknown as Parameters<typeof waitOf>[1];

  it('leaves the query alone unless the client wants an answer at once', () => {
    expect(waitOf(request('wait=3'), response, 60)).toBe(60);
    expect(headers.size).toBe(0);
    expect(waitOf(request('respond-async'), response, 60)).toBe(0);
    expect(waitOf(request('respond-async, wait=5'), response, 60)).toBe(5);
    expect(headers.get('Preference-Applied')).toBe('respond-async');
  });
});
