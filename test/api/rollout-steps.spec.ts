import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import type { SimulatedNode } from './simulated-node.js';
import { until } from './until.js';
import type { RolloutDetails } from '#api/rollouts/rollout.schema.js';

const UNJUDGED = { enabled: false };
/** One that a few hundred requests satisfy. */
const QUICK = { minRequests: 50, warmUpMs: 0, warmUpRequests: 0, errors: { refusedSlack: 0.1 }, traps: { judge: false }, limits: { judge: false }, latency: { judge: false }, cpu: { judge: false } };

describe('a rollout by steps', () => {
  let fixture: ControlPlaneFixture;
  let node: SimulatedNode;
  let replica = 0;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    node = fixture.node();
    await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 1);
  });
  afterAll(() => fixture.stop());
  afterEach(async () => {
    node.frozen = false;
    node.stuck = false;
    node.broken.clear();
    await node.settle();
  });

  const call = (method: string, path: string, body?: object) => fixture.call(method, `/v1/apps/${path}`, body && { body });
  const push = (app: string, seed: number, query = 'wait=20') => fixture.push(app, makeBundle({ ...makeApp(), seed: String(seed) }), query);
  const latest = async (app: string) => (await fixture.call<RolloutDetails>('GET', `/v1/apps/${app}/rollouts/latest`)).body;
  const reaches = async (app: string, is: Partial<RolloutDetails>): Promise<RolloutDetails> => {
    let found = await latest(app);
    const fits = () => Object.entries(is).every(([key, value]) => found[key as keyof RolloutDetails] === value);
    await until(async () => {
      found = await latest(app);
      return fits();
    }).catch(() => expect(found).toMatchObject(is));
    return found;
  };
  /** Two versions, the second one stored and not served. */
  const stored = async (app: string) => {
    await push(app, 1);
    await push(app, 2, 'rollout=none');
  };
  const begin = (app: string, rollout: string, analysis: object = UNJUDGED, version = 2) => call('POST', `${app}/rollouts?wait=0`, { version, rollout, analysis });
  const restart = async () => {
    const next = await fixture.startReplica();
    await fixture.stopReplica(replica);
    replica = next;
    node.baseUrl = fixture.url();
  };

  it('gives the version larger and larger shares, each a generation of its own', async () => {
    await stored('larger');
    expect(await begin('larger', 'steps:0.3@1s,50@1s')).toMatchObject({ status: 202, body: { state: 'pending' } });
    const ended = await reaches('larger', { state: 'promoted' });
    expect(node.shares.get('larger')!.slice(-3)).toEqual([
      [{ version: 1, percent: 99.7 }, { version: 2, percent: 0.3 }], [{ version: 1, percent: 50 }, { version: 2, percent: 50 }], [{ version: 2, percent: 100 }],
    ]);
    expect(ended.steps.map(({ step, percent, generation }) => [step, percent, generation])).toEqual([[0, 0.3, 2], [1, 50, 3], [2, 100, 4]]);
    expect(await call('GET', 'larger')).toMatchObject({ body: { live: [{ version: 2, percent: 100 }], rollout: null } });
    expect(await call('POST', 'larger/rollback')).toMatchObject({ status: 200, body: { version: 1 } });
  });

  it('waits at a manual step for an approval that names it, and takes no other and no second one', async () => {
    await stored('manual');
    await begin('manual', 'steps:10@manual,50@manual');
    const { rollout, pausedFor } = await reaches('manual', { state: 'paused', step: 0 });
    expect(pausedFor).toContain('step 0');
    const approve = (step?: number) => call('POST', `manual/rollouts/${rollout}/approve?wait=0`, step === undefined ? {} : { step });
    expect(await approve(1)).toMatchObject({ status: 409, body: { code: 'API_ROLLOUT_DECIDED' } });
    expect(await approve()).toMatchObject({ status: 409, body: { code: 'API_ROLLOUT_DECIDED' } });
    expect(await approve(0)).toMatchObject({ status: 202 });
    expect(await approve(0)).toMatchObject({ status: 409 });
    await reaches('manual', { state: 'paused', step: 1 });
    await restart();
    expect(await reaches('manual', { state: 'paused', step: 1 })).toMatchObject({ serving: [{ version: 1, percent: 50 }, { version: 2, percent: 50 }], steps: [{ approvedBy: 'admin' }, { approvedBy: null }], ahead: [] });
    expect(await approve(1)).toMatchObject({ status: 202 });
    await reaches('manual', { state: 'promoted' });
    expect(await approve(2)).toMatchObject({ status: 409 });
  });

  it('can be ended at a step and before the first, and then what was served is served', async () => {
    await stored('ended');
    await begin('ended', 'steps:10@manual');
    const { rollout } = await reaches('ended', { state: 'paused' });
    expect(await call('POST', `ended/rollouts/${rollout}/abort`, { reason: 'lunch' })).toMatchObject({ status: 200, body: { state: 'aborted', reason: { code: 'API_ROLLOUT_ABORTED', message: 'admin ended it: lunch' }, serving: [{ version: 1, percent: 100 }] } });
    expect(await call('POST', `ended/rollouts/${rollout}/abort`)).toMatchObject({ status: 409, body: { code: 'API_ROLLOUT_DECIDED' } });
    await until(() => node.shares.get('ended')!.at(-1)!.length === 1);
    node.stuck = true;
    await node.settle();
    await push('ended', 3, 'wait=0&rollout=steps:5@30s');
    const early = await latest('ended');
    expect(await call('POST', `ended/rollouts/${early.rollout}/abort`)).toMatchObject({ status: 200, body: { state: 'aborted', phase: 'preparing', steps: [] } });
    expect(await call('GET', 'ended')).toMatchObject({ body: { live: [{ version: 1, percent: 100 }] } });
  });

  it('is rolled back by a rollback, which answers when the old version has all requests', async () => {
    await stored('back');
    await begin('back', 'steps:25@manual');
    const { rollout } = await reaches('back', { state: 'paused' });
    expect(await call('POST', 'back/rollback')).toMatchObject({ status: 200, body: { version: 1, state: 'serving' } });
    expect(node.shares.get('back')!.at(-1)).toEqual([{ version: 1, percent: 100 }]);
    expect(await call('GET', `back/rollouts/${rollout}`)).toMatchObject({ body: { state: 'rolled_back', reason: { code: 'API_ROLLOUT_ROLLED_BACK', message: 'admin rolled back' } } });
  });

  it.each(['rolled back', 'replaced by a later one'])('stays as it ended when somebody decides on it after it was %s', async (how) => {
    const app = how === 'rolled back' ? 'decided-back' : 'decided-later';
    await stored(app);
    await push(app, 3, 'rollout=none');
    await begin(app, 'steps:10@manual,50@manual');
    const { rollout } = await reaches(app, { state: 'paused' });
    await (how === 'rolled back' ? call('POST', `${app}/rollback`) : begin(app, 'now', UNJUDGED, 3));
    const served = how === 'rolled back' ? 1 : 3;
    await until(() => node.serving(app) === served && node.held.get(app)!.serve.length === 1);
    const ended = (await fixture.call('GET', `/v1/apps/${app}/rollouts/${rollout}`)).body;
    expect(ended).toMatchObject({ state: how === 'rolled back' ? 'rolled_back' : 'aborted' });
    expect(await call('POST', `${app}/rollouts/${rollout}/approve`, { step: 0 })).toMatchObject({ status: 409, body: { code: 'API_ROLLOUT_DECIDED' } });
    expect(await call('POST', `${app}/rollouts/${rollout}/abort`)).toMatchObject({ status: 409, body: { code: 'API_ROLLOUT_DECIDED' } });
    expect((await fixture.call('GET', `/v1/apps/${app}/rollouts/${rollout}`)).body).toEqual(ended);
    expect((await fixture.call('GET', `/v1/apps/${app}`)).body).toMatchObject({ live: [{ version: served, percent: 100 }] });
  });

  it('gives way to a later one, which is beside the version that was served before', async () => {
    await stored('later');
    await begin('later', 'steps:25@manual');
    const { rollout } = await reaches('later', { state: 'paused' });
    await push('later', 3, 'wait=0&rollout=steps:10@manual');
    expect(await reaches('later', { version: 3 as RolloutDetails['version'], state: 'paused' })).toMatchObject({ serving: [{ version: 1, percent: 90 }, { version: 3, percent: 10 }] });
    expect(await call('GET', `later/rollouts/${rollout}`)).toMatchObject({ body: { state: 'aborted', reason: { code: 'API_ROLLOUT_SUPERSEDED' } } });
  });

  it('goes straight to the end where nothing else is served', async () => {
    expect(await push('first', 1, 'wait=20&rollout=steps:10@manual')).toMatchObject({ body: { state: 'serving' } });
    expect(await latest('first')).toMatchObject({ state: 'promoted', strategy: 'steps:10@manual', steps: [{ step: 0, percent: 100 }] });
  });

  it('goes back when a node cannot serve the step', async () => {
    await stored('unable');
    await begin('unable', 'steps:10@manual');
    await reaches('unable', { state: 'paused' });
    node.broken.set('unable/2', { code: 'COMPONENT_TRAP', message: 'no' });
    await node.settle();
    expect(await reaches('unable', { state: 'rolled_back' })).toMatchObject({ reason: { code: 'COMPONENT_TRAP' }, serving: [{ version: 1, percent: 100 }] });
  });

  describe('that is judged', () => {
    const second = (app: string, errors: number, requests = 60) => node.sample(app, [{ version: 1, requests: 3 * requests }, { version: 2, requests, errors }]);

    it('is rolled back at its step when the version fails, and says with which figures', async () => {
      await stored('worse');
      await begin('worse', 'steps:10@30s,50@30s', {});
      await reaches('worse', { phase: 'holding' });
      for (let i = 0; i < 5; i++) await second('worse', 12);
      const ended = await reaches('worse', { state: 'rolled_back' });
      expect(ended).toMatchObject({ step: 0, serving: [{ version: 1, percent: 100 }], reason: { code: 'API_ROLLOUT_ROLLED_BACK' }, verdict: { verdict: 'fail', reasons: [{ code: 'worse', signal: 'errors' }] } });
      expect(ended.verdict!.figures[0]).toMatchObject({ candidate: { version: 2 }, baseline: { version: 1, errors: 0 } });
      expect(await call('GET', 'worse/versions/2')).toMatchObject({ body: { state: 'failed', reason: { code: 'API_ROLLOUT_ROLLED_BACK' } } });
      expect(await fixture.sql('SELECT 1 FROM rollout_interval')).toEqual([]);
    });

    it('goes on where it was when the control plane is restarted in the middle of a step, and counts no report twice', async () => {
      await stored('resumed');
      await begin('resumed', 'steps:50@2s', QUICK);
      await reaches('resumed', { phase: 'holding' });
      const report = await second('resumed', 0, 20);
      await until(async () => (await latest('resumed')).verdict?.figures[0]!.candidate.requests === 20);
      await restart();
      await node.sendSamples(report);
      await second('resumed', 0, 20);
      await until(async () => (await latest('resumed')).verdict?.figures[0]!.candidate.requests === 40);
      for (let i = 0; i < 4; i++) await second('resumed', 0, 60);
      expect(await reaches('resumed', { state: 'promoted' })).toMatchObject({ steps: [{ step: 0, verdict: { verdict: 'pass' } }, { step: 1, percent: 100 }] });
    });

    it('pauses when nothing can be said, and goes on when it can, or somebody says so', async () => {
      await stored('unsaid');
      await begin('unsaid', 'steps:10@1s,50@1s', { ...QUICK, holdMs: 0 });
      const { rollout, verdict } = await reaches('unsaid', { state: 'paused', step: 0 });
      expect(verdict).toMatchObject({ verdict: 'insufficient-data', reasons: [{ code: 'no-reports' }] });
      for (let i = 0; i < 4; i++) await second('unsaid', 0);
      await reaches('unsaid', { state: 'paused', step: 1 });
      expect(await call('POST', `unsaid/rollouts/${rollout}/approve?wait=20`, { step: 1 })).toMatchObject({ status: 200, body: { state: 'serving', version: 2 } });
    });

    it('changes nothing in a dry run, but says what it would do', async () => {
      await stored('dry');
      await begin('dry', 'steps:10@2s', { dryRun: true });
      await reaches('dry', { phase: 'holding' });
      for (let i = 0; i < 3; i++) await second('dry', 20);
      expect(await reaches('dry', { state: 'promoted' })).toMatchObject({ steps: [{ verdict: { verdict: 'fail', dryRun: true } }, {}] });
    });

    it('takes no counts that cannot be, and none of channels without a rollout', async () => {
      await expect(node.sample('worse', [{ version: 2, requests: 1, errors: 2 }])).rejects.toThrow('API_INPUT_INVALID');
      await node.sample('nobody', [{ version: 2, requests: 1 }]);
      await node.sample('first', [{ version: 2, requests: 1 }]);
      expect(await fixture.sql('SELECT 1 FROM rollout_interval')).toEqual([]);
    });
  });

  describe('as a channel says', () => {
    const put = (app: string, settings: object) => call('PUT', `${app}/channels/production/rollout`, settings);

    it('is how a push goes that says nothing itself', async () => {
      await push('default', 1);
      expect(await put('default', { strategy: 'steps:30@manual', keyHeader: 'X-User', analysis: UNJUDGED })).toMatchObject({ status: 200, body: { strategy: 'steps:30@manual', keyHeader: 'X-User', analysis: { enabled: false, onInsufficientData: 'pause' } } });
      expect(await call('GET', 'default/channels/production/rollout')).toMatchObject({ body: { strategy: 'steps:30@manual' } });
      await push('default', 2, 'wait=0');
      await reaches('default', { state: 'paused', strategy: 'steps:30@manual' });
      expect(node.held.get('default')).toMatchObject({ keyHeader: 'X-User' });
      expect(await push('default', 3, 'wait=20&rollout=now')).toMatchObject({ body: { state: 'serving' } });
      expect(node.held.get('default')).not.toHaveProperty('keyHeader');
      expect(await put('default', {})).toMatchObject({ status: 200, body: {} });
      expect(await push('default', 4)).toMatchObject({ body: { state: 'serving' } });
    });

    it.each([
      ['a share that shrinks', { strategy: 'steps:50@30s,10@30s' }],
      ['a time without a unit', { strategy: 'steps:50@30' }],
      ['copies of more requests than there are', { strategy: 'shadow:101@30s' }],
      ['probes, which nobody can send', { analysis: { onInsufficientData: 'probe' } }],
      ['a header field that is none', { keyHeader: 'x user' }],
      ['a policy that is none', { analysis: { falseAlarms: 2 } }],
    ])('is refused with %s', async (_what, settings) => {
      await push('refused', 1);
      expect(await put('refused', settings)).toMatchObject({ status: 400, body: { code: 'API_INPUT_INVALID' } });
      if ('strategy' in settings) expect(await push('refused', 2, `rollout=${settings.strategy}`)).toMatchObject({ status: 400 });
    });
  });

  it('is in the list, newest first, and the latest is not there before there is one', async () => {
    await push('none', 1, 'rollout=none');
    expect(await call('GET', 'none/rollouts/latest')).toMatchObject({ status: 404, body: { code: 'API_ROLLOUT_NOT_FOUND' } });
    const { body } = await call('GET', 'larger/rollouts');
    expect((body['items'] as RolloutDetails[]).map(({ version, state, strategy }) => [version, state, strategy])).toEqual([[1, 'promoted', 'now'], [2, 'promoted', 'steps:0.3@1s,50@1s'], [1, 'promoted', 'now']]);
  });
});
