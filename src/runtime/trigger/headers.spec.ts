import { describe, expect, it } from '@jest/globals';
import { answerHeaders, guestRequestHeaders, spinHeaders } from './headers.js';

describe(guestRequestHeaders.name, () => {
  it('gives names in lower case, in order, repeated ones too', () => {
    expect(guestRequestHeaders(['Accept', 'a', 'X-Two', '1', 'x-two', '2'])).toEqual([['accept', 'a'], ['x-two', '1'], ['x-two', '2']]);
  });

  it('drops what a client says in the name of the platform', () => {
    expect(guestRequestHeaders(['Spin-Client-Addr', '1.2.3.4:5', 'spin_path_info', '/', 'spinning', 'yes'])).toEqual([['spinning', 'yes']]);
  });

  it('drops hop-by-hop fields and those that Connection names', () => {
    expect(guestRequestHeaders(['Connection', 'keep-alive, X-Hop', 'Keep-Alive', 't=1', 'X-Hop', 'a', 'Transfer-Encoding', 'chunked', 'Upgrade', 'h2c', 'te', 'trailers']))
      .toEqual([['te', 'trailers']]);
  });

  it('does not let Connection hide Host or the length from the guest', () => {
    expect(guestRequestHeaders(['Connection', 'Host, Content-Length', 'Host', 'a', 'Content-Length', '3'])).toEqual([['host', 'a'], ['content-length', '3']]);
  });
});

describe(spinHeaders.name, () => {
  const facts = { scheme: 'http', authority: 'example.com', pathWithQuery: '/base/path/end/rest?key=value', clientAddr: '127.0.0.1:5' } as const;

  it('tells the guest what Spin tells it, each once', () => {
    const match = { route: '/base/:path_segment/:path_end/...', trailing: '/rest', params: [['path_segment', 'path'], ['path_end', 'end']] as [string, string][] };
    expect(Object.fromEntries(spinHeaders(match, facts))).toEqual({
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

  it('has an empty component route and path info for the root wildcard', () => {
    const headers = new Map(spinHeaders({ route: '/...', trailing: '', params: [] }, facts));
    expect([headers.get('spin-component-route'), headers.get('spin-path-info')]).toEqual(['', '']);
  });
});

describe(answerHeaders.name, () => {
  it('adds the length when it is known and the guest gave none', () => {
    expect(answerHeaders([['a', 'b']], 3)).toEqual(['a', 'b', 'content-length', '3']);
    expect(answerHeaders([['Content-Length', '5']], 3)).toEqual(['Content-Length', '5']);
    expect(answerHeaders([['a', 'b']], null)).toEqual(['a', 'b']);
  });

  it('leaves the connection and the framing to the server', () => {
    expect(answerHeaders([['Connection', 'close'], ['transfer-encoding', 'chunked'], ['keep-alive', 'x'], ['upgrade', 'y'], ['x', 'z']], null)).toEqual(['x', 'z']);
  });
});
