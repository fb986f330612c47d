// What happens to a fleet under load, each as often as one likes: the claims of the fleet's tests and of bench/fleet.mjs.
import { setTimeout as sleep } from 'node:timers/promises';

const APP = 'shop';
const AWAY_MS = 500;

/** By name; each ends when the fleet has come to rest again. */
export const SCENARIOS = {
  deploy: (run) => run.fleet.deploy(APP, run.text()),
  canary: async (run) => {
    await run.fleet.deploy(APP, run.text(), 'rollout=steps:10@manual,50@manual');
    await run.until(({ state, step }) => state === 'paused' && step === 0);
    await sleep(AWAY_MS);
  },
  promote: async (run) => {
    const { rollout } = await run.latest();
    for (const step of [0, 1]) {
      await run.until((latest) => latest.state === 'paused' && latest.step === step);
      await run.fleet.call('POST', `/v1/apps/${APP}/rollouts/${rollout}/approve`, { json: { step } });
    }
    await run.until(({ state }) => state === 'promoted');
  },
  rollback: (run) => run.fleet.call('POST', `/v1/apps/${APP}/rollback`),
  'restart of a control plane': async (run) => {
    const { planes } = run.fleet;
    await planes[run.round % planes.length].restart();
  },
  'kill -9 of a control plane': async (run) => {
    const { planes } = run.fleet;
    const plane = planes[run.round % planes.length];
    await plane.kill();
    await plane.start();
  },
  'drain of a node': async (run) => {
    const { fleet, round } = run;
    const node = fleet.nodes[round % fleet.nodes.length];
    await fleet.withoutRequests(node, async () => {
      const { drain } = await fleet.call('POST', `/v1/nodes/${node.name}/drain?wait=60`);
      if (drain.endedAt === null || drain.dropped > 0 || drain.kept.length > 0) throw new Error(`the drain of ${node.name} did not come to its end: ${JSON.stringify(drain)}`);
      await fleet.call('POST', `/v1/nodes/${node.name}/uncordon`);
      await fleet.untilServes(node, APP);
    });
  },
  'restart of a node': async (run) => {
    const { nodes } = run.fleet;
    const node = nodes[run.round % nodes.length];
    await run.fleet.restartInTurn(node);
    await run.fleet.untilLive([node.name]);
  },
  'kill -9 of a node': async (run) => {
    const { nodes } = run.fleet;
    const node = nodes[run.round % nodes.length];
    await node.kill();
    await sleep(AWAY_MS);
    await node.start();
    await run.fleet.untilLive([node.name]);
  },
};

/** A load on a fresh app, and scenarios under it. */
export class Run {
  round = 0;
  texts = 0;
  /** `{name, fromMs, toMs}` of everything that was done. */
  acts = [];

  constructor(fleet) { this.fleet = fleet; }

  static async begin(fleet, { rate, settleMs = 300 }) {
    const run = new Run(fleet);
    await fleet.deploy(APP, run.text());
    await fleet.call('PUT', `/v1/apps/${APP}/channels/production/rollout`, { json: { analysis: { enabled: false } } });
    run.load = fleet.load({ rate, apps: [APP] });
    run.settleMs = settleMs;
    await sleep(settleMs);
    return run;
  }

  text() { return `version ${++this.texts}`; }
  latest() { return this.fleet.call('GET', `/v1/apps/${APP}/rollouts/latest`); }
  until(good) { return this.fleet.until(`the rollout is ${good}`, async () => good(await this.latest())); }

  async act(name) {
    const act = { name, round: this.round, fromMs: Date.now() };
    await SCENARIOS[name](this);
    await sleep(this.settleMs);
    this.acts.push({ ...act, toMs: Date.now() });
  }

  /** What was done at that time, and how far it was. */
  during(atMs) {
    const act = this.acts.find(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs);
    return { act: act?.name, round: act?.round, afterMs: act && atMs - act.fromMs, killedBeforeMs: this.fleet.kills.map((kill) => atMs - kill.atMs) };
  }

  /** Ends the load. Answers what became of all requests, and of those of each scenario: see Ledger.judge. */
  async end() {
    const { fleet, load } = this;
    const outcome = await fleet.judge(load);
    for (const kind of ['failures', 'disallowed']) outcome[kind] = outcome[kind].map((row) => ({ ...this.during(row.startMs), ...row }));
    const names = [...new Set(this.acts.map(({ name }) => name))];
    const byScenario = Object.fromEntries(names.map((name) => {
      const windows = this.acts.filter((act) => act.name === name);
      const rows = load.rows.filter((row) => windows.some(({ fromMs, toMs }) => row.startMs >= fromMs && row.startMs < toMs));
      return [name, { times: windows.length, ...fleet.ledger.judge(rows, fleet.kills), ms: rows.map(({ ms }) => ms) }];
    }));
    return { outcome, byScenario };
  }
}
