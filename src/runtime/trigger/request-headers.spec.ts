import { describe, expect, it } from '@jest/globals';
import { injectHeaders, toChainedFields, toClientAddress, toGuestFields, toRouteHeaders } from './request-headers.js';
import { toClientHeaders } from './response-headers.js';

describe(toGuestFields.name, () => {
  it('gives names in lower case, in order, repeated ones too', () => {
    expect(toGuestFields(['Accept', 'a', 'X-Two', '1', 'x-two', '2'], 'h')).toEqual([['accept', 'a'], ['x-two', '1'], ['x-two', '2']]);
  });

  it('drops what a client says in the name of the platform', () => {
    expect(toGuestFields(['Spin-Client-Addr', '1.2.3.4:5', 'spin_path_info', '/', 'Whorl-Lane', 'x', 'spinning', 'yes'], 'h')).toEqual([['spinning', 'yes']]);
  });

  it('drops hop-by-hop fields and those that Connection names', () => {
    expect(toGuestFields(['Connection', 'keep-alive, X-Hop', 'Keep-Alive', 't=1', 'X-Hop', 'a', 'Transfer-Encoding', 'chunked', 'Upgrade', 'h2c'], 'h')).toEqual([]);
  });

  it('does not let Connection hide Host or the length from the guest', () => {
    expect(toGuestFields(['Connection', 'Host, Content-Length', 'Host', 'a', 'Content-Length', '3'], 'a')).toEqual([['host', 'a'], ['content-length', '3']]);
  });
});

describe(injectHeaders.name, () => {
  it('tells the guest what Spin tells it, each once', () => {
    const facts = { pathInfo: '/rest', fullUrl: 'http://example.com/base/path/end/rest?key=value', clientAddress: '127.0.0.1:5', params: [['path_segment', 'path'], ['path_end', 'end']] as const };
    const headers = injectHeaders([], toRouteHeaders('/base/:path_segment/:path_end/...'), facts);
    expect(headers).toHaveLength(9);
    expect(Object.fromEntries(headers)).toEqual({
      'spin-path-info': '/rest',
      'spin-full-url': 'http://example.com/base/path/end/rest?key=value',
      'spin-matched-route': '/base/:path_segment/:path_end/...',
      'spin-base-path': '/',
      'spin-raw-component-route': '/base/:path_segment/:path_end/...',
      'spin-component-route': '/base/:path_segment/:path_end',
      'spin-client-addr': '127.0.0.1:5',
      'spin-path-match-path-segment': 'path',
      'spin-path-match-path-end': 'end',
    });
  });
});

describe(toChainedFields.name, () => {
  it('gives a chained component no Host of the internal domain', () => {
    expect(toChainedFields([['Host', 'back.spin.internal'], ['X', 'y']], 'back.spin.internal')).toEqual([['x', 'y']]);
    expect(toChainedFields([['X', 'y']], 'self.test')).toEqual([['host', 'self.test'], ['x', 'y']]);
  });
});

describe(toClientAddress.name, () => {
  it('writes an IPv4 peer on an IPv6 socket as what it is', () => {
    expect([toClientAddress('::ffff:10.0.0.1', 5), toClientAddress('::1', 6), toClientAddress(undefined, undefined)]).toEqual(['10.0.0.1:5', '[::1]:6', '0.0.0.0:0']);
  });
});

describe(toClientHeaders.name, () => {
  it('leaves the connection and the framing to the server', () => {
    expect(toClientHeaders([['Connection', 'close, x-hop'], ['transfer-encoding', 'chunked'], ['keep-alive', 'x'], ['X-Hop', '1'], ['x', 'z']])).toEqual(['x', 'z']);
  });
});
