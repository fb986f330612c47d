import { afterEach, describe, expect, it } from '@jest/globals';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AppName, ChannelName, VersionNumber } from '#contract/ids.js';
import type { JournalBatch, JournalEntry, LogRecord } from '#contract/journal.js';
import { Log } from '#platform/log.js';
import { parseJournalLines, toJournalLine } from './journal-line.js';
import { JournalShipper } from './journal-shipper.js';
import { Journal } from './journal.js';
import { Meter } from './meter.js';

const dirs: string[] = [];
const shippers: JournalShipper[] = [];
afterEach(async () => {
  for (const shipper of shippers.splice(0)) await shipper.close();
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});

const source = { org: 'default', app: 'tiny' as AppName, channel: 'production' as ChannelName, version: 1 as VersionNumber, component: 'main' };
const line = (text: string): LogRecord => ({ kind: 'log', at: 1, ...source, requestId: 'r', stream: 'stdout', line: text });

/** The control plane's side, as src/api keeps it: each entry once, in order, nothing behind a gap. */
class Taker {
  readonly taken = new Map<string, JournalEntry[]>();
  isUp = true;
  losesAnswer = false;

  readonly send = async ({ journal, entries }: JournalBatch) => {
    if (!this.isUp) throw new Error('away');
    const list = this.taken.get(journal) ?? [];
    this.taken.set(journal, list);
    for (const entry of entries) if (entry.seq === list.length + 1) list.push(entry);
    if (this.losesAnswer) throw new Error('the answer was lost');
    return { nextSeq: list.length + 1 };
  };

  lines(): string[] {
    return [...this.taken.values()].flat().map(({ record }) => (record as LogRecord).line);
  }
}

function setUp() {
  const dir = mkdtempSync(join(tmpdir(), 'whorl-journal-'));
  dirs.push(dir);
  const taker = new Taker();
  let writing = true;
  const log = new Log({}, 'error');
  const shipper = () => {
    const made = new JournalShipper({ dir, send: taker.send, isWriting: () => writing, log });
    shippers.push(made);
    return made;
  };
  const journal = (writer = 'a-1', maxPartBytes?: number) => new Journal({ dir, writer, maxPartBytes, onError: (error) => { throw error; } });
  return { dir, taker, shipper, journal, die: () => { writing = false; } };
}

describe(parseJournalLines.name, () => {
  const lines = [1, 2, 3].map((seq) => toJournalLine({ seq, record: line(`line ${seq} é`) }));
  const whole = Buffer.from(lines.join(''));

  it('reads back what was written, whatever the cut', () => {
    for (let cut = 0; cut <= whole.length; cut++) {
      const { entries, bytes, corrupt } = parseJournalLines(whole.subarray(0, cut), 100);
      expect(corrupt).toBe(false);
      expect(bytes).toBe(lines.slice(0, entries.length).reduce((sum, text) => sum + Buffer.byteLength(text), 0));
      expect(bytes).toBeLessThanOrEqual(cut);
    }
    expect(parseJournalLines(whole, 100).entries.map(({ seq }) => seq)).toEqual([1, 2, 3]);
  });

  it('stops at a line with a changed byte', () => {
    const damaged = Buffer.from(whole);
    damaged[Buffer.byteLength(lines[0]!) + 30]! ^= 1;
    expect(parseJournalLines(damaged, 100)).toMatchObject({ entries: [{ seq: 1 }], corrupt: true });
  });
});

describe(JournalShipper.name, () => {
  it('ships in order, once, while the journal grows', async () => {
    const { taker, shipper, journal } = setUp();
    const [writer, ship] = [journal(), shipper()];
    writer.append([line('one'), line('two')]);
    await ship.pass();
    writer.append([line('three')]);
    await ship.pass();
    await ship.pass();
    expect(taker.lines()).toEqual(['one', 'two', 'three']);
  });

  it('sends again what was not acknowledged, and goes on where the control plane stands after a start', async () => {
    const { taker, shipper, journal } = setUp();
    const writer = journal();
    writer.append([line('one'), line('two')]);
    taker.losesAnswer = true;
    await expect(shipper().pass()).rejects.toThrow('lost');
    taker.losesAnswer = false;
    writer.append([line('three')]);
    await shipper().pass();
    expect(taker.lines()).toEqual(['one', 'two', 'three']);
  });

  it('keeps everything while the control plane is away', async () => {
    const { taker, shipper, journal } = setUp();
    const [writer, ship] = [journal(), shipper()];
    taker.isUp = false;
    writer.append([line('one')]);
    await expect(ship.pass()).rejects.toThrow('away');
    taker.isUp = true;
    await ship.pass();
    expect(taker.lines()).toEqual(['one']);
  });

  it('sends all again to a control plane that has forgotten', async () => {
    const { taker, shipper, journal } = setUp();
    const [writer, ship] = [journal(), shipper()];
    writer.append([line('one')]);
    await ship.pass();
    taker.taken.clear();
    writer.append([line('two')]);
    await ship.pass();
    expect(taker.lines()).toEqual(['one', 'two']);
  });

  it('leaves out a line that a crash cut off, and deletes the journal of the dead', async () => {
    const { dir, taker, shipper, journal, die } = setUp();
    journal().append([line('one')]);
    appendFileSync(join(dir, 'a-1-1.jsonl'), toJournalLine({ seq: 2, record: line('cut') }).slice(0, 40));
    const ship = shipper();
    await ship.pass();
    expect(readdirSync(dir)).toHaveLength(1);
    die();
    await ship.pass();
    expect(taker.lines()).toEqual(['one']);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('does not ship what stands behind a damaged line', async () => {
    const { dir, taker, shipper } = setUp();
    const damaged = toJournalLine({ seq: 2, record: line('two') }).replace('two', 'TWO');
    writeFileSync(join(dir, 'a-1-1.jsonl'), toJournalLine({ seq: 1, record: line('one') }) + damaged + toJournalLine({ seq: 3, record: line('three') }));
    await shipper().pass();
    expect(taker.lines()).toEqual(['one']);
  });

  it('deletes parts that are full and shipped, and keeps the last', async () => {
    const { dir, taker, shipper, journal } = setUp();
    const writer = journal('a-1', 300);
    for (let i = 0; i < 6; i++) writer.append([line(`line ${i}`)]);
    expect(readdirSync(dir).length).toBeGreaterThan(2);
    await shipper().pass();
    expect(readdirSync(dir)).toHaveLength(1);
    expect(taker.lines()).toHaveLength(6);
  });

  it('ships a line longer than a batch', async () => {
    const { taker, shipper, journal } = setUp();
    journal().append([line('x'.repeat(2 ** 20)), line('after')]);
    await shipper().pass();
    expect(taker.lines().map((text) => text.length)).toEqual([2 ** 20, 5]);
  });
});

describe(Meter.name, () => {
  it('adds up what falls into one span, and writes it by itself', async () => {
    const { dir, journal } = setUp();
    const meter = new Meter(journal());
    const counter = meter.counter(source, 'http');
    for (let i = 0; i < 10; i++) counter.add({ requests: 1, errors: 0, wallMs: 2, cpuMs: 0.5, bytesIn: 1, bytesOut: 3 });
    await new Promise((resolve) => setTimeout(resolve, 120));
    const { entries } = parseJournalLines(readFileSync(join(dir, 'a-1-1.jsonl')), 100);
    expect(entries.map(({ record }) => record)).toEqual([
      { kind: 'usage', at: expect.any(Number), ...source, trigger: 'http', requests: 10, errors: 0, wallMs: 20, cpuMs: 5, bytesIn: 10, bytesOut: 30 },
    ]);
    meter.close();
  });

  it('writes without its timer when the thread was held', () => {
    const { dir, journal } = setUp();
    const meter = new Meter(journal());
    const counter = meter.counter(source, 'http');
    const used = { requests: 1, errors: 0, wallMs: 1, cpuMs: 1, bytesIn: 0, bytesOut: 0 };
    counter.add(used);
    const until = performance.now() + 80;
    while (performance.now() < until);
    counter.add(used);
    expect(parseJournalLines(readFileSync(join(dir, 'a-1-1.jsonl')), 10).entries).toHaveLength(1);
    meter.close();
  });
});
