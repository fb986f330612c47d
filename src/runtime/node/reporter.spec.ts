import { describe, expect, it } from '@jest/globals';
import type { NodeReportInput } from '#contract/assignment.js';
import type { NodeHeartbeat, NodeReceipt } from '#contract/node-facts.js';
import { Log } from '#platform/log.js';
import { Reporter } from './reporter.js';

const fine: NodeReceipt = { taken: 'taken', startCount: 1, wants: 'nothing', mayGo: false, others: false, nowMs: 0 };
const signal = AbortSignal.timeout(60_000);

function setUp(answers: { report?: (report: NodeReportInput) => NodeReceipt | undefined; heartbeat?: (heartbeat: NodeHeartbeat) => NodeReceipt } = {}) {
  const sent: { what: 'report' | 'heartbeat'; startCount: number | undefined; sequence: number | undefined; reported?: number; zone?: string | undefined }[] = [];
  const state = { zone: 'a', taken: 0 };
  const start = {
    value: 1,
    raiseAbove: async (known: number) => {
      start.value = Math.max(start.value, known + 1);
    },
  };
  const reporter = new Reporter({
    said: () => ({ node: 'n', incarnation: 'i', runners: 1, statuses: [], zone: state.zone }),
    countLoad: () => ({ load: { spanMs: 1, channels: [] }, taken: () => void state.taken++ }),
    start,
    report: async (report) => {
      sent.push({ what: 'report', startCount: report.startCount, sequence: report.sequence, zone: report.zone });
      return answers.report ? answers.report(report) : fine;
    },
    heartbeat: async (heartbeat) => {
      sent.push({ what: 'heartbeat', startCount: heartbeat.startCount, sequence: heartbeat.sequence, reported: heartbeat.reported });
      return (answers.heartbeat ?? (() => fine))(heartbeat);
    },
    onReceipt: () => undefined,
    onRemoved: () => undefined,
    log: new Log({}, 'error'),
  });
  return { reporter, sent, state, start };
}

describe('a reporter', () => {
  it('says everything when something has changed, else that nothing has', async () => {
    const { reporter, sent, state } = setUp();
    await reporter.send(signal);
    await reporter.send(signal);
    state.zone = 'b';
    await reporter.send(signal);
    await reporter.send(signal);
    expect(sent).toEqual([
      { what: 'report', startCount: 1, sequence: 1, zone: 'a' }, { what: 'heartbeat', startCount: 1, sequence: 2, reported: 1 },
      { what: 'report', startCount: 1, sequence: 3, zone: 'b' }, { what: 'heartbeat', startCount: 1, sequence: 4, reported: 3 },
    ]);
    expect(state.taken).toBe(4);
  });

  it('says everything when it is asked to', async () => {
    const { reporter, sent } = setUp({ heartbeat: () => ({ ...fine, wants: 'report' }) });
    for (let i = 0; i < 3; i++) await reporter.send(signal);
    expect(sent.map(({ what }) => what)).toEqual(['report', 'heartbeat', 'report']);
  });

  it('says everything each time to a control plane that knows no heartbeats, of whatever release it was before', async () => {
    const { reporter, sent } = setUp({ report: () => undefined });
    await reporter.send(signal);
    await reporter.send(signal);
    expect(sent.map(({ what }) => what)).toEqual(['report', 'report']);
    const older = setUp({ heartbeat: () => { throw new Error('status 404'); } });
    await older.reporter.send(signal);
    await expect(older.reporter.send(signal)).rejects.toThrow('404');
    await older.reporter.send(signal);
    expect(older.sent.map(({ what }) => what)).toEqual(['report', 'heartbeat', 'report']);
  });

  it('goes on from a higher start that is known of it, when its disk was lost', async () => {
    const { reporter, sent, start } = setUp({ report: ({ startCount }) => (startCount! > 7 ? { ...fine, startCount: startCount! } : { ...fine, taken: 'superseded', startCount: 7 }) });
    await reporter.send(signal);
    await reporter.send(signal);
    expect([start.value, sent.at(-1)]).toEqual([8, { what: 'report', startCount: 8, sequence: 2, zone: 'a' }]);
  });

  it('does not fight with another node of its name that has started since', async () => {
    let known = 1;
    const { reporter, start } = setUp({ report: () => (known === 1 ? fine : { ...fine, taken: 'superseded', startCount: known }), heartbeat: () => ({ ...fine, taken: 'superseded', startCount: known }) });
    await reporter.send(signal);
    known = 2;
    for (let i = 0; i < 3; i++) await reporter.send(signal);
    expect(start.value).toBe(1);
  });

  it('tells of a load again that was not taken', async () => {
    let away = true;
    const { reporter, state } = setUp({ report: () => { if (away) throw new Error('away'); return fine; } });
    await expect(reporter.send(signal)).rejects.toThrow('away');
    expect(state.taken).toBe(0);
    away = false;
    await reporter.send(signal);
    expect(state.taken).toBe(1);
  });
});
