import { describe, expect, it } from '@jest/globals';
import type { Headers, HttpExchange } from '#runtime/capability/guest.js';
import { cgiBodyStart, parseCgiHead, toCgiArguments, toCgiEnvironment } from './cgi.js';

const exchange = (headers: Headers): HttpExchange => ({
  method: 'POST', pathWithQuery: '/cgi/a%20b/c?x=1&y', scheme: 'http', authority: 'app.localhost:3000', headers,
  body: { read: () => null, onReadable: null, cancel: () => undefined, trailers: () => null },
  respond: () => { throw new Error('not asked'); },
});

describe(toCgiEnvironment.name, () => {
  const environment = Object.fromEntries(toCgiEnvironment(exchange([
    ['Host', 'app.localhost:3000'], ['Content-Type', 'text/plain'], ['Content-Length', '3'], ['Authorization', 'secret'], ['X-Two', 'a'], ['X-Two', 'b'],
    ['spin-path-info', '/c'], ['spin-component-route', '/cgi/:name'], ['spin-raw-component-route', '/cgi/:name/...'],
    ['spin-client-addr', '127.0.0.1:5000'], ['spin-path-match-user-id', '7'],
  ])));

  it('has the variables of CGI', () => {
    expect(environment).toMatchObject({
      REQUEST_METHOD: 'POST', QUERY_STRING: 'x=1&y', CONTENT_TYPE: 'text/plain', CONTENT_LENGTH: '3', PATH_INFO: '/c', SCRIPT_NAME: '/cgi/:name',
      SERVER_NAME: 'app.localhost', SERVER_PORT: '3000', REMOTE_ADDR: '127.0.0.1', GATEWAY_INTERFACE: 'CGI/1.1', SERVER_SOFTWARE: 'WAGI/1', AUTH_TYPE: '',
    });
  });

  it('has Spin\'s own', () => {
    expect(environment).toMatchObject({ X_RAW_COMPONENT_ROUTE: '/cgi/:name/...', X_CLIENT_ADDR: '127.0.0.1:5000', X_PATH_MATCH_USER_ID: '7', X_RAW_PATH_INFO: '/cgi/a%20b/c' });
  });

  it('has the header fields, several of a name in one, and no credentials', () => {
    expect(environment).toMatchObject({ HTTP_X_TWO: 'a, b', HTTP_HOST: 'app.localhost:3000' });
    expect(environment).not.toHaveProperty('HTTP_AUTHORIZATION');
  });
});

describe(toCgiArguments.name, () => {
  it.each([
    ['${SCRIPT_NAME} ${ARGS}', 'a+b%20c', ['/run', 'a', 'b c']],
    ['${SCRIPT_NAME} ${ARGS}', '', ['/run']],
    ['tool --at=${SCRIPT_NAME}', 'a', ['tool', '--at=/run']],
    ['${ARGS}', '%zz', ['%zz']],
  ])('makes of %j and the query %j %j', (template, query, args) => {
    expect(toCgiArguments(template, '/run', query)).toEqual(args);
  });
});

describe(parseCgiHead.name, () => {
  it.each([
    ['Content-Type: text/plain\n\n', 200, [['Content-Type', 'text/plain']]],
    ['content-type: a/b\r\nX-One: 1\r\n\r\n', 200, [['content-type', 'a/b'], ['X-One', '1']]],
    ['Status: 404 Not Found\n\n', 404, []],
    ['Location: /other\n\n', 302, [['Location', '/other']]],
    ['Location: /other\nStatus: 301\n\n', 301, [['Location', '/other']]],
  ])('reads %j', (text, status, headers) => {
    expect(parseCgiHead(text)).toEqual({ status, headers });
  });

  it('refuses a head without content-type, status and location', () => {
    expect(() => parseCgiHead('X-One: 1\n\n')).toThrow(/content-type/);
  });

  it.each(['teapot', '99', '600', '200x'])('refuses the status %j with 502', (status) => {
    expect(() => parseCgiHead(`Status: ${status}\n\n`)).toThrow(expect.objectContaining({ status: 502 }));
  });
});

describe(cgiBodyStart.name, () => {
  it.each([['a: b\n\nbody', 6], ['a: b\r\n\r\nbody', 8], ['a: b\n', -1], ['\nbody', 1], ['a: b\n\r\nx', 7]])('finds the body of %j at %d', (text, at) => {
    expect(cgiBodyStart(Buffer.from(text))).toBe(at);
  });
});
