import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { findProcess } from '#platform/process.js';
import { Child } from './child.js';
import { DataDir } from './data-dir.js';
import { Screen } from './screen.js';

const SERVES = "process.send({ type: 'listening' }); console.log('pid ' + process.pid);";
const NEVER = new AbortController().signal;

let parent: string;
let dir: DataDir;
let shown: string;
let children: Child[];

beforeEach(async () => {
  parent = mkdtempSync(join(tmpdir(), 'whorl-child-'));
  dir = await DataDir.open(join(parent, 'data'));
  shown = '';
  children = [];
});
afterEach(async () => {
  await Promise.all(children.map((child) => child.stop(AbortSignal.abort())));
  dir.close();
  rmSync(parent, { recursive: true, force: true });
});

function child(source: string, stopTimeoutMs = 5_000): Child {
  const script = join(parent, 'program.mjs');
  writeFileSync(script, source);
  const show = (text: string): void => { shown += text; };
  const made = new Child({ name: 'program', log: 'program', script, env: {}, stopTimeoutMs }, dir, new Screen(show, show));
  children.push(made);
  return made;
}

const logFile = (): string => dir.at('logs', 'program.log');
const log = (): string => (existsSync(logFile()) ? readFileSync(logFile(), 'utf8') : '');
async function until(what: () => boolean): Promise<void> {
  for (let tries = 0; !what(); tries++) {
    if (tries > 500) throw new Error(`waited for ${what.toString()}, saw:\n${shown}`);
    await sleep(10);
  }
}
const pids = (): number[] => [...log().matchAll(/^pid (\d+)$/gm)].map((match) => Number(match[1]));

describe(Child.name, () => {
  it('has started when the process says that it serves, and keeps what it writes', async () => {
    await child(`${SERVES} setInterval(() => {}, 1000);`).start();
    await until(() => pids().length === 1);
  });

  it('says what the process wrote when it ends before it serves', async () => {
    await expect(child("console.error('no such database'); process.exit(3);").start()).rejects.toMatchObject({
      code: 'UP_PROCESS_FAILED', message: expect.stringMatching(/^the program ended \(exit status 3\)\nno such database$/),
    });
  });

  it('starts the process again when it dies, and says so', async () => {
    await child(`${SERVES} setInterval(() => {}, 1000);`).start();
    await until(() => pids().length === 1);
    process.kill(pids()[0] ?? 0, 'SIGKILL');
    await until(() => shown.includes('the program serves again'));
    expect(shown).toContain('the program ended (SIGKILL); starting it again in 0.25 s');
    await until(() => pids().length === 2);
  });

  it('lets the process finish when it stops it, and does not start it again', async () => {
    const made = child(`process.on('SIGTERM', () => setTimeout(() => { console.log('finished'); process.exit(0); }, 100)); ${SERVES} setInterval(() => {}, 1000);`);
    await made.start();
    await made.stop(NEVER);
    expect(log()).toContain('finished');
    await sleep(400);
    expect(pids()).toHaveLength(1);
  });

  it.each([
    ['its time is up', 100, NEVER],
    ['it is told to hurry', 60_000, AbortSignal.timeout(1)],
  ])('ends a process that does not want to when %s, with the processes it started', async (_, stopTimeoutMs, force) => {
    const made = child(`process.on('SIGTERM', () => {}); ${SERVES} setInterval(() => {}, 1000);
      const { spawn } = await import('node:child_process'); const own = spawn('sleep', ['60'], { stdio: 'inherit' }); console.log('pid ' + own.pid);`, stopTimeoutMs);
    await made.start();
    await until(() => pids().length === 2);
    await made.stop(force);
    for (const pid of pids()) expect(findProcess(pid)).toBeUndefined();
  });

  it('shows the errors among what it logs, and only those', async () => {
    await child(`${SERVES} console.error(JSON.stringify({ level: 'error', message: 'the disk is full' })); console.error(JSON.stringify({ level: 'info', message: 'no "error"' })); setInterval(() => {}, 1000);`).start();
    await until(() => shown !== '');
    expect(shown).toBe('program: the disk is full\n');
  });
});
