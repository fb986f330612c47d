import { describe, expect, it } from '@jest/globals';
import { CONTROL_PLANE_URI, nodeOfUri, nodeUri } from '#contract/node-identity.js';
import { readJoinToken, toJoinToken } from '#contract/node-join.js';
import { PeerRefused, uriOf } from './peer.js';

const named = (subjectAltName: string | undefined) => ({ subjectAltName }) as Parameters<typeof uriOf>[0];

describe('the name in a certificate', () => {
  it('is its one URI', () => {
    expect(uriOf(named('URI:whorl://node/web-1'))).toBe('whorl://node/web-1');
  });

  it.each([
    [undefined], ['DNS:web-1'], ['URI:whorl://node/web-1, DNS:web-1'], ['URI:whorl://node/web-1, URI:whorl://control-plane'], ['URI:"whorl://node/web-1\\u0000"'], ['DNS:x, URI:whorl://node/web-1'],
  ])('is none of ours in %p', (names) => {
    expect(() => uriOf(named(names))).toThrow(PeerRefused);
  });

  it('is that of a node when it has a name that a node may have', () => {
    expect(nodeOfUri(nodeUri('web-1.rack.2'))).toBe('web-1.rack.2');
    for (const uri of [CONTROL_PLANE_URI, 'whorl://node/', 'whorl://node/A', 'whorl://node/a/b', 'spiffe://node/a']) expect(nodeOfUri(uri)).toBeUndefined();
  });
});

describe('a join token', () => {
  it('is its secret and the name of a CA', () => {
    const authority = 'A'.repeat(43) as Parameters<typeof toJoinToken>[1];
    expect(readJoinToken(toJoinToken(`whorl_${'x'.repeat(46)}`, authority))).toEqual({ secret: `whorl_${'x'.repeat(46)}`, authority });
  });

  it.each(['', 'whorl_xxxxxxxxxxxxxxxxxxxx', `short.${'A'.repeat(43)}`, `whorl_xxxxxxxxxxxxxxxxxxxx.${'A'.repeat(42)}`, `whorl_xxxxxxxxxxxxxxxxxxxx.${'A'.repeat(43)}.`])('is not %p', (text) => {
    expect(readJoinToken(text)).toBeUndefined();
  });
});
