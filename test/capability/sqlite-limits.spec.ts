import { readFile } from 'node:fs/promises';
import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { closeShortReads } from '#runtime/capability/sqlite/short-reads.js';
import { closeSqlProcesses } from '#runtime/capability/sqlite/sql-processes.js';
import { buildWat } from '../fixtures/build-wat.js';
import { packageTexts } from '../fixtures/wit-package.js';
import { artifactOf, ask, Blobs, httpTrigger, LIMITS, TestFront, type Built } from '../runtime/front-fixture.js';

/** Statements that do too much, in apps behind a front: what becomes of their requests, and of everybody else's. */

const SQLITE = 'fermyon:spin/sqlite@2.0.0';
const COUNT = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)';
const STATEMENTS: Readonly<Record<string, string>> = {
  /** Never ends. */
  l: `SELECT count(*) FROM (${COUNT} SELECT x FROM c)`,
  /** Takes memory without an end. */
  t: `SELECT b FROM (${COUNT} SELECT x, randomblob(1000000) AS b FROM c) ORDER BY b`,
  /** Begins to write and leaves it at that. */
  g: 'BEGIN IMMEDIATE',
};

/** `loop.wat`, whose bad paths run SQL: /l…, /t… and /g… the statement of their letter; any other path answers. */
async function buildSqlGuest(): Promise<Uint8Array> {
  const [wat, wit] = await Promise.all(['../fixtures/wat/loop.wat', '../../examples/tiny-wat/wit/tiny.wit'].map((path) => readFile(new URL(path, import.meta.url), 'utf8')));
  const data = Object.values(STATEMENTS).map((sql, i) => `(data (i32.const ${2048 + 512 * i}) "${sql}")`);
  const cases = Object.entries(STATEMENTS).map(([letter, sql], i) =>
    `(if (i32.eq (local.get $letter) (i32.const ${letter.charCodeAt(0)})) (then (call $run (i32.const ${2048 + 512 * i}) (i32.const ${sql.length})) (return)))`);
  const edited = wat!
    .replace('(module', `(module
      (import "${SQLITE}" "[static]connection.open" (func $open (param i32 i32 i32)))
      (import "${SQLITE}" "[method]connection.execute" (func $execute (param i32 i32 i32 i32 i32 i32)))`)
    .replace('(func $misbehave (param $letter i32)', `(data (i32.const 1100) "default") ${data.join(' ')}
      (func $run (param $sql i32) (param $length i32)
        (call $open (i32.const 1100) (i32.const 7) (i32.const 1120))
        (if (i32.load8_u (i32.const 1120)) (then (unreachable)))
        (call $execute (i32.load (i32.const 1124)) (local.get $sql) (local.get $length) (i32.const 0) (i32.const 0) (i32.const 1120))
        (if (i32.load8_u (i32.const 1120)) (then (unreachable))))
      (func $misbehave (param $letter i32) ${cases.join('\n')}`);
  const witSource = `${wit!.replace('world tiny {', `world tiny { import ${SQLITE};`)}\n${packageTexts([SQLITE])}`;
  return componentNew(await componentEmbed({ binary: await parse(edited), witSource, world: 'tiny' }), []);
}

const blobs = new Blobs();
const fronts: TestFront[] = [];
let sql: Built;
let plain: Built;

beforeAll(async () => {
  sql = await blobs.build(await buildSqlGuest());
  plain = await blobs.build(await buildWat('loop'));
});
afterEach(async () => {
  for (const front of fronts.splice(0)) await front.close();
});
afterAll(() => {
  closeShortReads();
  closeSqlProcesses();
  blobs.remove();
});

async function setUp(limits: Partial<typeof LIMITS> = {}): Promise<TestFront> {
  const front = await new TestFront(blobs, 'shared', { ...LIMITS, ...limits }).listen();
  fronts.push(front);
  await front.deploy('app', artifactOf(1, { main: sql }, [httpTrigger('all', '/...', { component: 'main' })], { sqliteDatabases: ['default'] }));
  await front.deploy('neighbour', artifactOf(2, { main: plain }, [httpTrigger('all', '/...', { component: 'main' })]));
  return front;
}
const lines = (front: TestFront) => front.logs().filter(({ stream }) => stream === 'platform').map(({ line }) => line);

describe('a statement that does too much', () => {
  it('ends at the wall limit of its invocation, is metered, and keeps nobody waiting', async () => {
    const front = await setUp({ wallMs: 1_000 });
    const endless = ask(front.port, 'app.localhost', '/loop');
    let answered = 0;
    while ((await Promise.race([endless, ask(front.port, 'neighbour.localhost', '/')])).status === 200) answered++;
    expect(await endless).toMatchObject({ status: 504 });
    expect(answered).toBeGreaterThan(10);
    expect(lines(front)).toEqual(['COMPONENT_WALL_LIMIT: the invocation took longer than 1000 ms']);
    expect(front.usage().cpuMs).toBeGreaterThan(20);
    expect(await ask(front.port, 'app.localhost', '/')).toMatchObject({ status: 200 });
    expect(front.heavy).toEqual([]);
  });

  it('ends at the CPU limit of its invocation, which is no matter of the lane', async () => {
    const front = await setUp({ cpuMs: 1_200, wallMs: 60_000 });
    expect(await ask(front.port, 'app.localhost', '/loop')).toMatchObject({ status: 500 });
    expect(lines(front)).toEqual(['COMPONENT_CPU_LIMIT: the statements of the invocation used up its CPU time']);
    expect(front.heavy).toEqual([]);
    expect(front.usage()).toMatchObject({ requests: 1, errors: 1 });
  });

  it('ends when it takes too much memory', async () => {
    const front = await setUp({ wallMs: 60_000 });
    expect(await ask(front.port, 'app.localhost', '/trap')).toMatchObject({ status: 500 });
    expect(lines(front)).toEqual([expect.stringMatching(/^COMPONENT_MEMORY_LIMIT: the statement needed more than \d+ bytes of memory$/)]);
  });

  it('holds a lock no longer than its invocation takes', async () => {
    const front = await setUp();
    for (let i = 0; i < 5; i++) expect(await ask(front.port, 'app.localhost', '/grab')).toMatchObject({ status: 200 });
  });
});
