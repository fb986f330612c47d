import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NodeAssignments } from '#contract/assignment.js';
import { WhorlError } from '#contract/errors.js';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import type { SimulatedNode } from './simulated-node.js';
import { until } from './until.js';

interface BuildState {
  builds: { engine: string; state: string; reason?: { code: string } }[];
  components: { engine: string | null }[];
}

describe('an upgrade of the engine', () => {
  let fixture: ControlPlaneFixture;
  let old: SimulatedNode;
  const bundle = (app: string, seed: number) => {
    const locked = makeApp();
    return makeBundle({ ...locked, components: locked.components!.map((component) => ({ ...component, id: `${app}-${seed}` })), triggers: [], seed: `${app}-${seed}` });
  };
  const view = async (app: string, version = 1) => (await fixture.call<BuildState>('GET', `/v1/apps/${app}/versions/${version}`)).body;
  const assignmentsOf = async (engines: string): Promise<NodeAssignments> => {
    const response = await fetch(`${fixture.url()}/v1/nodes/old-node/assignments?engines=${engines}`, { headers: { authorization: `Bearer ${fixture.nodeToken}` } });
    return (await response.json()) as NodeAssignments;
  };
  const enginesIn = ({ assignments }: NodeAssignments) => new Set(assignments.flatMap(({ versions }) => versions.flatMap(({ builds }) => Object.values(builds).map(({ engine }) => engine))));

  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start();
    old = fixture.node('old-node', undefined, ['3']);
    await until(async () => (await fixture.sql('SELECT 1 FROM node')).length === 1);
    for (const seed of [1, 2, 3]) await fixture.push('shop', bundle('shop', seed));
    await fixture.push('blog', bundle('blog', 1));
    await fixture.push('bad', bundle('bad', 1));
    await fixture.push('stored', bundle('stored', 1), 'rollout=none');
    // The next release: the same database and store, another engine.
    await fixture.stopReplica(0);
    Object.assign(fixture.registry, { engine: '4' });
    fixture.registry.broken.set('bad-1', new WhorlError('REGISTRY_COMPONENT_UNSUPPORTED', 'component "bad-1": gone from this engine'));
    await fixture.startReplica();
    old.baseUrl = fixture.url();
    await until(async () => fixture.registry.rebuilt.length >= 6);
    await until(async () => (await view('shop', 1)).builds.every(({ state }) => state !== 'building'));
  });
  afterAll(() => fixture.stop());

  it('builds what is served first, then what nodes hold, then the rest', () => {
    expect(fixture.registry.rebuilt.slice(0, 3).sort()).toEqual(['bad-1', 'blog-1', 'shop-3']);
    expect(fixture.registry.rebuilt.slice(3)).toEqual(['shop-2', 'stored-1', 'shop-1']);
  });

  it('gives each node the builds for its engine, of the same version numbers', async () => {
    expect(enginesIn(await assignmentsOf('4'))).toEqual(new Set(['4']));
    expect(enginesIn(await assignmentsOf('3'))).toEqual(new Set(['3']));
    expect(enginesIn(await assignmentsOf('4,3'))).toEqual(new Set(['4', '3']));
    expect((await assignmentsOf('4')).revision).not.toBe((await assignmentsOf('3')).revision);
    const versions = (await assignmentsOf('4')).assignments.find(({ app }) => app === 'shop')!.versions.map(({ version }) => version);
    expect(versions).toEqual([2, 3]);
  });

  it('takes a node that does not say for one of the engine before nodes said', async () => {
    const response = await fetch(`${fixture.url()}/v1/nodes/old-node/assignments`, { headers: { authorization: `Bearer ${fixture.nodeToken}` } });
    expect(enginesIn((await response.json()) as NodeAssignments)).toEqual(new Set(['3']));
  });

  it('says of a version that no longer builds why, and leaves it to the nodes of the old engine', async () => {
    expect(await view('bad')).toMatchObject({
      builds: [{ engine: '4', state: 'failed', reason: { code: 'REGISTRY_COMPONENT_UNSUPPORTED' } }, { engine: '3', state: 'built' }],
      components: [{ engine: '3' }],
    });
    const offered = (engines: string) => assignmentsOf(engines).then(({ assignments }) => assignments.find(({ app }) => app === 'bad')!);
    expect(await offered('4')).toMatchObject({ serve: [{ version: 1 }], versions: [] });
    expect(await offered('3')).toMatchObject({ serve: [{ version: 1 }], versions: [{ version: 1 }] });
    expect(old.serving('bad')).toBe(1);
  });

  it('tries a version that did not build again when a control plane starts', async () => {
    fixture.registry.broken.clear();
    await fixture.startReplica();
    await until(async () => (await view('bad')).builds[0]!.state === 'built');
    expect(await view('bad')).toMatchObject({ components: [{ engine: '4' }] });
  });

  it('fails the rollout of what a live node cannot run, and what is served stays', async () => {
    expect(await fixture.push('shop', bundle('shop', 4))).toMatchObject({ status: 201, body: { version: 4, state: 'failed', reason: { code: 'NODE_ENGINE_UNSUPPORTED' } } });
    expect(old.serving('shop')).toBe(3);
  });

  it('rolls out to a node of the new engine', async () => {
    await old.stop();
    expect((await fixture.call('DELETE', '/v1/nodes/old-node?force=true')).status).toBeLessThan(300);
    const node = fixture.node('new-node', undefined, ['4']);
    expect(await fixture.call('POST', '/v1/apps/shop/rollouts?wait=20', { body: { version: 4 } })).toMatchObject({ status: 200 });
    expect(node.serving('shop')).toBe(4);
  });
});
