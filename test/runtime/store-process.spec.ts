import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { compileProcesses } from './node-fixture.js';

/** The process that looks into stores, driven by a program as the supervisor does it. */
describe('the process that looks into stores', () => {
  let dist: string;
  let dir: string;
  beforeAll(async () => {
    dist = await compileProcesses();
    dir = mkdtempSync(join(tmpdir(), 'whorl-stores-'));
  });
  afterAll(() => {
    for (const folder of [dist, dir]) rmSync(folder, { recursive: true, force: true });
  });

  /** What a program prints as JSON at its end; `stores` is a StoreProcess, `job` makes a job of an operation, `pid` is that of the process. */
  async function run(body: string, environment: Record<string, string> = {}): Promise<unknown> {
    const file = join(dist, 'dist', 'program.mjs');
    writeFileSync(file, `
      import { readFileSync } from 'node:fs';
      import { StoreProcess } from '#runtime/node/store-process.js';
      const stores = new StoreProcess({ SECRET: undefined });
      let last = 0;
      const store = { backend: { type: 'spin', file: '.stores/a.sqlite' } };
      const job = (operation, timeoutMs = 5000) => stores.run({ id: String(++last), orgDir: ${JSON.stringify(dir)}, timeoutMs, sqliteBytes: 1e6, operation });
      const set = () => job({ op: 'set', ...store, key: 'k', value: 'AAE=' });
      const get = () => job({ op: 'get', ...store, key: 'k' });
      const pid = () => stores.child.pid;
      const answer = await (async () => { ${body} })();
      stores.stop();
      process.stdout.write(JSON.stringify(answer));`);
    const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', file], { env: { PATH: process.env['PATH'], ...environment } });
    return JSON.parse(stdout);
  }

  it('does one thing after the other, and many at a time', async () => {
    expect(await run('await set(); return Promise.all([get(), get(), job({ op: "keys", ...store, prefix: "", limit: 5 })]);')).toEqual([
      { result: 'value', value: 'AAE=' }, { result: 'value', value: 'AAE=' }, { result: 'keys', keys: ['k'], cursor: null },
    ]);
  });

  it('is ended when it is stuck, and another takes its place', async () => {
    const answers = await run('await set(); const stuck = pid(); process.kill(stuck, "SIGSTOP"); const late = await job({ op: "get", ...store, key: "k" }, 100); return [late, await get(), pid() !== stuck];');
    expect(answers).toEqual([{ result: 'failed', reason: 'late', message: expect.any(String) }, { result: 'value', value: 'AAE=' }, true]);
  });

  it('sees no more of the environment than a runner', async () => {
    expect(await run('await set(); return readFileSync(`/proc/${pid()}/environ`, "utf8").includes("hunter2");', { SECRET: 'hunter2' })).toBe(false);
  });

  it('leaves a file elsewhere alone', async () => {
    writeFileSync(join(dir, '..', 'bystander-of-stores'), '');
    const refused = { result: 'failed', reason: 'store', message: 'the store lies outside of its folder' };
    expect(await run('return Promise.all(["../bystander-of-stores", "/etc/x", "", "a/../.."].map((file) => job({ op: "remove", file })));')).toEqual([refused, refused, refused, refused]);
    rmSync(join(dir, '..', 'bystander-of-stores'));
  });

  it('deletes the files of a store, again without harm', async () => {
    expect(await run('await set(); const both = [await job({ op: "remove", file: ".stores/a.sqlite" }), await job({ op: "remove", file: ".stores/a.sqlite" })]; return [both, await get()];'))
      .toEqual([[{ result: 'done' }, { result: 'done' }], { result: 'value', value: null }]);
  });
});
