import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JournalEntry } from '#contract/journal.js';
import { Log } from '#platform/log.js';
import { parseJournalLines } from '#runtime/meter/journal-line.js';
import { JournalShipper } from '#runtime/meter/journal-shipper.js';
import { compileProcesses } from './node-fixture.js';

/** Counts invocations as fast as it can and says how many it had counted, and when. */
const WRITER = `
  import { Journal } from '#runtime/meter/journal.js';
  import { Meter } from '#runtime/meter/meter.js';
  import { writeSync } from 'node:fs';
  const meter = new Meter(new Journal({ dir: process.argv[1], writer: process.argv[2], maxPartBytes: 20_000, onError: (error) => { throw error; } }));
  const counter = meter.counter({ org: 'default', app: 'tiny', channel: 'production', version: 1, component: 'main' }, 'http');
  for (let counted = 0; ;) {
    for (let i = 0; i < 100; i++) counter.add({ requests: 1, errors: 0, wallMs: 1, cpuMs: 1, bytesIn: 0, bytesOut: 1 });
    counted += 100;
    meter.log({ kind: 'log', at: Date.now(), org: 'default', app: 'tiny', channel: 'production', version: 1, component: 'main', requestId: 'r', stream: 'stdout', line: 'x'.repeat(100) });
    writeSync(1, \`\${Date.now()} \${counted}\\n\`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }`;

describe('a journal whose writer is killed', () => {
  let dist: string;
  beforeAll(async () => {
    dist = await compileProcesses();
  });
  afterAll(() => rmSync(dist, { recursive: true, force: true }));

  it('has everything but the last moment, each once, without a gap, and is shipped and deleted', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'whorl-crash-'));
    for (let round = 0; round < 5; round++) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', WRITER, dir, `run-${round}`], { cwd: dist, stdio: ['ignore', 'pipe', 'inherit'] });
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => { output += chunk.toString(); });
      while (output.length < 4_000) await sleep(5);
      await sleep(round * 7);
      const ended = once(child, 'close');
      child.kill('SIGKILL');
      await ended;

      const counted = output.trimEnd().split('\n').filter((line) => /^\d+ \d+$/.test(line)).map((line) => line.split(' ').map(Number) as [number, number]);
      const last = counted.at(-1)!;
      const files = readdirSync(dir).filter((file) => file.startsWith(`run-${round}-`));
      expect(files.length).toBeGreaterThan(0);
      let requests = 0;
      for (const file of files) {
        const { entries } = parseJournalLines(readFileSync(join(dir, file)), 1e6);
        expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, i) => i + 1));
        for (const { record } of entries) if (record.kind === 'usage') requests += record.requests;
      }
      // Two spans of 50 ms, and what a busy machine adds.
      const longBefore = counted.findLast(([at]) => at < last[0] - 250)?.[1] ?? 0;
      expect(requests).toBeGreaterThanOrEqual(longBefore);
      expect(requests).toBeLessThanOrEqual(last[1] + 100);
    }

    const taken = new Map<string, JournalEntry[]>();
    const shipper = new JournalShipper({
      dir,
      send: async ({ journal, entries }) => {
        const list = taken.get(journal) ?? [];
        taken.set(journal, list);
        for (const entry of entries) if (entry.seq === list.length + 1) list.push(entry);
        return { nextSeq: list.length + 1 };
      },
      isWriting: () => false,
      log: new Log({}, 'error'),
    });
    const lines = readdirSync(dir).reduce((sum, file) => sum + parseJournalLines(readFileSync(join(dir, file)), 1e6).entries.length, 0);
    await shipper.pass();
    await shipper.close();
    expect([...taken.values()].flat()).toHaveLength(lines);
    expect(readdirSync(dir)).toEqual([]);
    rmSync(dir, { recursive: true });
  });
});
