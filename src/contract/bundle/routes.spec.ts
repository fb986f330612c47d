import { describe, expect, it } from '@jest/globals';
import { WhorlError } from '#contract/errors.js';
import { Routes, compareRoutes, parseRoute, routeShape } from './routes.js';

const table = (...routes: string[]) => new Routes(routes.map((route) => ({ route, value: route })));
const chosen = (routes: string[], path: string) => table(...routes).match(path)?.value;

describe(parseRoute.name, () => {
  it.each([
    ['foo', '/foo'],
    ['/foo/', '/foo'],
    ['/', '/'],
    ['', '/'],
    ['/*', '/...'],
    ['/...', '/...'],
    ['/a/*', '/a/...'],
    ['/a/.../', '/a/...'],
    ['/a/:id', '/a/:id'],
  ])('writes "%s" as "%s"', (text, route) => expect(parseRoute(text).route).toBe(route));

  it.each([
    ['/a/.../b', /wildcard must be the last/],
    ['/a/*/b', /wildcard must be the last/],
    ['/a/*b', /stand alone/],
    ['/a/:', /needs a name/],
    ['/a/:b:c', /is no name/],
    ['/a b', /blanks/],
    ['/a?b=c', /"\?"/],
    ['/a\u0000', /control/],
  ])('refuses "%s"', (text, message) => {
    expect(() => parseRoute(text)).toThrow(WhorlError);
    expect(() => parseRoute(text)).toThrow(message);
  });

  it('gives routes that match the same paths the same shape', () => {
    expect(routeShape(parseRoute('/a/:x/...'))).toBe(routeShape(parseRoute('a/:y/*')));
    expect(routeShape(parseRoute('/a/:x'))).not.toBe(routeShape(parseRoute('/a/x')));
  });
});

describe(Routes.name, () => {
  it.each([
    ['/', '/', true],
    ['/', '', true],
    ['/', '/a', false],
    ['/foo', '/foo', true],
    ['/foo', '/foo/', true],
    ['/foo', '//foo', true],
    ['/foo', '/foobar', false],
    ['/foo', '/foo/bar', false],
    ['/foo', '/FOO', false],
    ['/foo/bar', '/foo//bar', false],
    ['/:id', '/', false],
    ['/:id', '/a', true],
    ['/:id', '/a.b', true],
    ['/:id', '/a/b', false],
    ['/a/:id/b', '/a//b', false],
    ['/a/:id/b', '/a/x/b/', true],
    ['/:name.:ext', '/a.png', true],
    ['/:name.:ext', '/a', false],
    ['/:name.:ext', '/a/b.png', false],
    ['/:name.txt', '/a.txt', true],
    ['/:name.txt', '/a.txt2', false],
    ['/v1.0', '/v1.0', true],
    ['/v1.0', '/v1/0', false],
    ['/foo/...', '/foo', true],
    ['/foo/...', '/foo/', true],
    ['/foo/...', '/foo/a/b', true],
    ['/foo/...', '/foobar', false],
    ['/...', '/', true],
    ['/...', '/x/y', true],
    ['/:a/...', '/', false],
    ['/:a/...', '/x', true],
    ['/é/:x', '/é/ü', true],
  ])('%s against %s: %s', (route, path, matches) => expect(chosen([route], path) !== undefined).toBe(matches));

  it.each([
    [['/...', '/foo'], '/foo', '/foo'],
    [['/...', '/:a', '/foo'], '/foo', '/foo'],
    [['/...', '/:a', '/foo'], '/bar', '/:a'],
    [['/...', '/:a', '/foo'], '/bar/baz', '/...'],
    [['/foo/...', '/foo/:id'], '/foo/1', '/foo/:id'],
    [['/foo/...', '/foo/:id'], '/foo', '/foo/...'],
    [['/foo', '/foo/...'], '/foo', '/foo'],
    [['/foo/...', '/foo'], '/foo', '/foo'],
    [['/:a/bar', '/foo/:b'], '/foo/bar', '/foo/:b'],
    [['/:a/:b', '/:a/bar'], '/foo/bar', '/:a/bar'],
    [['/:a/...', '/foo/...'], '/foo/bar', '/foo/...'],
    [['/foo/:x/...', '/foo/bar/...'], '/foo/bar/1', '/foo/bar/...'],
    [['/:file', '/:name.:ext'], '/a.png', '/:name.:ext'],
    [['/:name.:ext', '/:name.png'], '/a.png', '/:name.png'],
    [['/:a', '/:b'], '/x', '/:a'],
    [['/foo/', '/foo'], '/foo', '/foo/'],
    [['/foo', '/foo/bar', '/foo/:x.:y'], '/foo/a.b', '/foo/:x.:y'],
    [['/users/...', '/users/:id/posts', '/users/me/posts'], '/users/me/posts', '/users/me/posts'],
    [['/users/...', '/users/:id/posts', '/users/me/posts'], '/users/7/posts', '/users/:id/posts'],
    [['/users/...', '/users/:id/posts', '/users/me/posts'], '/users/7/mail', '/users/...'],
  ])('of %j, %s goes to %s', (routes, path, winner) => {
    expect(chosen(routes, path)).toBe(winner);
    const others = routes.toReversed();
    // The order of adding counts only for routes that are equally specific.
    if (routes.every((a) => routes.every((b) => a === b || compareRoutes(parseRoute(a), parseRoute(b)) !== 0))) expect(chosen(others, path)).toBe(winner);
  });

  it.each([
    ['/foo/...', '/foo', ''],
    ['/foo/...', '/foo/', '/'],
    ['/foo/...', '/foo/bar', '/bar'],
    ['/foo/...', '/foo/bar/', '/bar/'],
    ['/...', '/', '/'],
    ['/...', '/a/b', '/a/b'],
    ['/:x/...', '/a/b', '/b'],
    ['/foo', '/foo/', ''],
    ['/users/:id', '/users/42/', ''],
  ])('%s leaves of %s the trailing part "%s"', (route, path, rest) => expect(table(route).match(path)!.trailing).toBe(rest));

  it('gives named segments in order and undecoded', () => {
    expect(table('/base/:path_segment/:path_end/...').match('/base/pa%20th/end/rest')).toEqual({
      value: '/base/:path_segment/:path_end/...',
      route: '/base/:path_segment/:path_end/...',
      trailing: '/rest',
      params: [['path_segment', 'pa%20th'], ['path_end', 'end']],
    });
    expect(table('/:name.:ext').match('/a.tar.gz')!.params).toEqual([['name', 'a'], ['ext', 'tar.gz']]);
    expect(table('/users/:id').match('/users/42/')!.params).toEqual([['id', '42']]);
  });

  it('lets the last of two equal route texts win', () => {
    const routes = new Routes([{ route: '/a', value: 1 }, { route: '/a', value: 2 }, { route: '/:x', value: 3 }, { route: '/:x', value: 4 }]);
    expect(routes.match('/a')!.value).toBe(2);
    expect(routes.match('/b')!.value).toBe(4);
  });

  it('answers nothing without routes', () => expect(new Routes([]).match('/')).toBeUndefined());
});
