import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GoneRoute, Route, RouteChanges, RouteNode } from '#contract/routes.js';
import { Log } from '#platform/log.js';
import { RouteFile } from './route-file.js';
import { RouteTable } from './route-table.js';

const route = (app: string, generation: number, replicas: [node: string, generation: number][] = [], hosts = [`${app}.test`]): Route =>
  ({ app, channel: 'production', generation, hosts, isServed: true, replicas: replicas.map(([node, at]) => ({ node, generation: at })) }) as unknown as Route;
const node = (name: string, state: RouteNode['state'] = 'live'): RouteNode => ({ node: name as RouteNode['node'], gateway: { host: name, port: 1 }, state });
const changes = (revision: string, routes: Route[], more: Partial<RouteChanges> = {}): RouteChanges => ({ revision, isWhole: false, nodes: [], routes, gone: [], ...more });
const gone = (app: string, generation: number) => ({ app, channel: 'production', generation }) as unknown as GoneRoute;

describe(RouteTable.name, () => {
  it('finds a channel by each of its hosts, and by none that it has no more', () => {
    const table = new RouteTable();
    table.apply(changes('1', [route('shop', 1, [], ['shop.test', 'old.test'])]));
    expect(table.byHost('old.test')!.app).toBe('shop');
    table.apply(changes('2', [route('shop', 2, [], ['shop.test', 'new.test'])]));
    expect([table.byHost('shop.test')!.generation, table.byHost('new.test')!.app, table.byHost('old.test'), table.revision]).toEqual([2, 'shop', undefined, '2']);
  });

  it('keeps what a table without memory does not name, and takes its nodes for lost', () => {
    const table = new RouteTable();
    table.apply(changes('1', [route('shop', 1, [['a', 1]])], { isWhole: true, nodes: [node('a')] }));
    table.apply(changes('2', [], { isWhole: true }));
    expect([table.byHost('shop.test')!.replicas.length, table.node('a' as never)!.state]).toEqual([1, 'lost']);
  });

  it('forgets a channel that is gone, but not one that has come after it under its name', () => {
    const table = new RouteTable();
    table.apply(changes('1', [route('shop', 5), route('blog', 5)]));
    table.apply(changes('2', [], { gone: [gone('shop', 5), gone('blog', 4)] }));
    expect([table.byHost('shop.test'), table.byHost('blog.test')!.app, table.size]).toEqual([undefined, 'blog', 1]);
  });

  it('never goes back in generation, whatever is told', () => {
    const table = new RouteTable();
    table.apply(changes('1', [route('shop', 7, [['a', 7], ['b', 6]])]));
    expect(table.floorOf(route('shop', 0))).toBe(7);
    expect([table.raise(route('shop', 0), 9), table.raise(route('shop', 0), 8)]).toEqual([true, false]);
    table.apply(changes('2', [route('shop', 6, [['b', 6]])]));
    expect(table.floorOf(route('shop', 0))).toBe(9);
  });
});

describe(RouteFile.name, () => {
  let dir: string;
  let count = 0;
  beforeAll(() => { dir = mkdtempSync(join(tmpdir(), 'whorl-routes-')); });
  afterAll(() => rmSync(dir, { recursive: true }));
  const logged: string[] = [];
  const open = (path: string) => {
    const table = new RouteTable();
    const file = new RouteFile(path, table, new Log({}, 'warn', (line) => logged.push(line)));
    file.load();
    return { table, file };
  };
  const path = () => join(dir, `${++count}.json`);

  it('gives everything back that was told, in its order', () => {
    const at = path();
    const { file } = open(at);
    file.apply(changes('1', [route('shop', 1, [['a', 1]]), route('blog', 1)], { isWhole: true, nodes: [node('a')] }));
    file.apply(changes('2', [route('shop', 2, [['a', 2]])]));
    file.raise(route('shop', 0), 4);
    file.apply(changes('3', [], { gone: [gone('blog', 1)] }));
    const { table } = open(at);
    expect([table.revision, table.size, table.byHost('shop.test')!.generation, table.floorOf(route('shop', 0)), table.node('a' as never)!.state]).toEqual(['3', 1, 2, 4, 'live']);
    expect(statSync(at).mode & 0o777).toBe(0o600);
  });

  it('is used up to where the process was ended in the middle of a line, and begun anew when it is damaged', () => {
    const at = path();
    open(at).file.apply(changes('1', [route('shop', 1)], { isWhole: true }));
    appendFileSync(at, '{"floor":["shop/production",9');
    expect(open(at).table.floorOf(route('shop', 0))).toBe(0);
    expect(open(at).table.revision).toBe('1');
    writeFileSync(at, 'no line of ours\n');
    expect(open(at).table.revision).toBeNull();
    expect(logged.at(-1)).toContain('damaged');
  });

  it('does not grow for ever', () => {
    const at = path();
    const { file } = open(at);
    file.apply(changes('0', [route('shop', 1)], { isWhole: true }));
    for (let i = 1; i < 12_000; i++) file.apply(changes(String(i), [route('shop', i, [['a', i]])]));
    expect(readFileSync(at).length).toBeLessThan(1_300_000);
    expect(open(at).table.revision).toBe('11999');
  });
});
