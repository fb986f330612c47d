import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Log } from '#platform/log.js';
import { Wakeups } from '#platform/wakeups.js';
import { DatabaseFixture } from './database.fixture.js';
import { until } from './until.js';

describe(Wakeups.name, () => {
  let fixture: DatabaseFixture;
  let url: string;
  const open: Wakeups[] = [];
  beforeAll(async () => {
    fixture = await DatabaseFixture.start();
    url = await fixture.create();
  });
  afterAll(() => fixture.stop());
  afterEach(async () => {
    for (const wakeups of open.splice(0)) await wakeups.stop();
  });

  const start = async (lifetime = new AbortController().signal): Promise<Wakeups> => {
    const wakeups = new Wakeups(url, new Log({}, 'error'), lifetime);
    open.push(wakeups);
    await wakeups.start();
    return wakeups;
  };
  const notify = (topic: string): Promise<unknown> => fixture.query(url, 'SELECT pg_notify($1, $2)', ['whorl', topic]);

  it('looks at once, and answers what it finds', async () => {
    const wakeups = await start();
    expect(await wakeups.wait(['t'], async () => 'there', { timeoutMs: 1000 })).toBe('there');
  });

  it('wakes everybody who waits for the topic, in every process', async () => {
    const all = await Promise.all([start(), start()]);
    let there = false;
    const begun = performance.now();
    const waits = all.map((wakeups) => wakeups.wait(['a', 't'], async () => there || undefined, { timeoutMs: 20_000 }));
    await sleep(50);
    there = true;
    await notify('t');
    expect(await Promise.all(waits)).toEqual([true, true]);
    expect(performance.now() - begun).toBeLessThan(4_000);
  });

  it('does not miss what happens while it looks', async () => {
    const wakeups = await start();
    let there = false;
    let first = true;
    const begun = performance.now();
    const found = await wakeups.wait(['t'], async () => {
      const seen = there;
      if (first) {
        first = false;
        there = true;
        await notify('t');
        await sleep(50);
      }
      return seen || undefined;
    }, { timeoutMs: 20_000 });
    expect(found).toBe(true);
    expect(performance.now() - begun).toBeLessThan(4_000);
  });

  it('answers nothing when the time is up, when the signal aborts and when the process ends', async () => {
    const lifetime = new AbortController();
    const wakeups = await start(lifetime.signal);
    const never = async (): Promise<undefined> => undefined;
    expect(await wakeups.wait(['t'], never, { timeoutMs: 50 })).toBeUndefined();
    const abort = new AbortController();
    const aborted = wakeups.wait(['t'], never, { timeoutMs: 60_000, signal: abort.signal });
    abort.abort();
    expect(await aborted).toBeUndefined();
    const ended = wakeups.wait(['t'], never, { timeoutMs: 60_000 });
    lifetime.abort();
    expect(await ended).toBeUndefined();
  });

  it('finds it by itself when a wake-up is lost', async () => {
    const wakeups = await start();
    let there = false;
    const found = wakeups.wait(['t'], async () => there || undefined, { timeoutMs: 10_000 });
    there = true;
    expect(await found).toBe(true);
  });

  it('passes on what the check throws, and listens no longer', async () => {
    const wakeups = await start();
    await expect(wakeups.wait(['t'], async () => Promise.reject(new Error('no')), { timeoutMs: 1000 })).rejects.toThrow('no');
    await notify('t');
  });

  it('connects again, and wakes everybody since it may have missed something', async () => {
    const wakeups = await start();
    let woken = 0;
    wakeups.subscribe('t', () => woken++);
    await fixture.query(url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'`);
    await until(() => woken === 1);
    await notify('t');
    await until(() => woken === 2);
  });

  it('says so when there is no database to begin with', async () => {
    await expect(new Wakeups('postgresql://nobody@127.0.0.1:1/none', new Log({}, 'error'), new AbortController().signal).start()).rejects.toThrow();
  });
});
