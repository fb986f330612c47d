import { describe, expect, it } from '@jest/globals';
import type { VersionNumber } from '#contract/ids.js';
import { artifactOf, assignmentOf, digestLike, serving } from '../../../test/fixtures/assignment.js';
import { toAppLane } from './app-lane.js';
import { nextLookAt, reconcile, type AppState, type VersionState } from './reconcile.js';
import { storedOf } from './stored-versions.js';

const NOW = 1_000_000;

function stateOf(versions: Record<number, VersionState['state'] | Partial<VersionState>>, change: Partial<AppState> = {}): AppState {
  const entries = Object.entries(versions).map(([number, given]): [VersionNumber, VersionState] => [
    Number(number) as VersionNumber,
    { digest: artifactOf(Number(number)).digest, artifact: storedOf(artifactOf(Number(number))).artifact, state: 'prepared', tries: 0, ...(typeof given === 'string' ? { state: given } : given) },
  ]);
  return { org: 'default', versions: new Map(entries), told: undefined, switched: undefined, switching: false, switchRetryAt: 0, ...change };
}
const served = (version: number, generation = 1, change = {}) => {
  const app = toAppLane(assignmentOf({ serve: serving(version), generation, ...change }));
  return { told: app, switched: app };
};
const kinds = (target: ReturnType<typeof assignmentOf> | undefined, state: AppState) => reconcile(target, state, NOW).map((action) => action.kind);

describe('reconcile', () => {
  it('prepares what is assigned, and lets the hosts say meanwhile that the app is not ready', () => {
    const actions = reconcile(assignmentOf(), stateOf({}), NOW);
    expect(actions).toEqual([
      { kind: 'prepare', artifact: artifactOf(1) },
      { kind: 'serve', app: expect.objectContaining({ generation: 0, serve: [], hosts: ['app.localhost'] }) },
    ]);
  });

  it('serves when every version that is served is prepared, not before', () => {
    const target = assignmentOf({ serve: [...serving(1), ...serving(2)], versions: [artifactOf(1), artifactOf(2)], generation: 2 });
    expect(kinds(target, stateOf({ 1: 'prepared', 2: 'preparing' }, served(1)))).toEqual([]);
    expect(reconcile(target, stateOf({ 1: 'prepared', 2: 'prepared' }, served(1)), NOW)).toEqual([{ kind: 'serve', app: toAppLane(target) }]);
  });

  it('does nothing when everything is as assigned', () => {
    expect(kinds(assignmentOf(), stateOf({ 1: 'prepared' }, served(1)))).toEqual([]);
  });

  it.each([
    ['values of variables', { variablesRevision: 1, variables: { a: 'b' } }],
    ['hosts', { hosts: ['app.localhost', 'www.example.com'] }],
    ['shares', { generation: 2 }],
  ])('switches when %s change', (_what, change) => {
    expect(kinds(assignmentOf(change), stateOf({ 1: 'prepared' }, served(1)))).toEqual(['serve']);
  });

  it('prepares other builds of a version beside those that serve, once', () => {
    const rebuilt = { ...artifactOf(1), app: { ...artifactOf(1).app, description: 'built again' } };
    const target = assignmentOf({ versions: [rebuilt] });
    expect(reconcile(target, stateOf({ 1: 'prepared' }, served(1)), NOW)).toEqual([{ kind: 'prepare', artifact: rebuilt }]);
    const renewal = { artifact: storedOf(rebuilt).artifact, tries: 0 };
    expect(kinds(target, stateOf({ 1: { renewal } }, served(1)))).toEqual([]);
    expect(kinds(undefined, stateOf({ 1: { renewal } }, served(1)))).toEqual([]);
  });

  it('serves on while other builds fail, and tries them again after a while', () => {
    const rebuilt = { ...artifactOf(1), app: { ...artifactOf(1).app, description: 'built again' } };
    const target = assignmentOf({ versions: [rebuilt] });
    const failed = (retryAt: number) => stateOf({ 1: { renewal: { artifact: storedOf(rebuilt).artifact, tries: 1, retryAt } } }, served(1));
    expect(kinds(target, failed(NOW + 1))).toEqual([]);
    expect(nextLookAt(failed(NOW + 1), NOW)).toBe(NOW + 1);
    expect(kinds(target, failed(NOW))).toEqual(['prepare']);
    expect(kinds(assignmentOf(), failed(NOW + 1))).toEqual([]);
  });

  it('prepares other builds of a version that failed at once', () => {
    const rebuilt = { ...artifactOf(1), app: { ...artifactOf(1).app, description: 'built again' } };
    const failed = stateOf({ 1: { state: 'failed', retryAt: NOW + 60_000 } }, { told: toAppLane(assignmentOf()) });
    expect(kinds(assignmentOf(), failed)).toEqual([]);
    expect(kinds(assignmentOf({ versions: [rebuilt] }), failed)).toEqual(['prepare']);
  });

  it('prepares a candidate while the app goes on serving, and while it is being switched', () => {
    const target = assignmentOf({ versions: [artifactOf(1), artifactOf(2)] });
    expect(kinds(target, stateOf({ 1: 'prepared' }, served(1)))).toEqual(['prepare']);
    expect(kinds(target, stateOf({ 1: 'prepared' }, { ...served(1), switching: true }))).toEqual(['prepare']);
  });

  it('begins no second switch while one is under way', () => {
    const target = assignmentOf({ generation: 3 });
    expect(kinds(target, stateOf({ 1: 'prepared' }, { ...served(1), switching: true }))).toEqual([]);
  });

  it('lets a version go when it is neither assigned nor served', () => {
    const target = assignmentOf({ generation: 2, serve: serving(2), versions: [artifactOf(2)] });
    expect(kinds(target, stateOf({ 1: 'prepared', 2: 'prepared' }, served(1)))).toEqual(['serve']);
    expect(reconcile(target, stateOf({ 1: 'prepared', 2: 'prepared' }, served(2, 2)), NOW)).toEqual([{ kind: 'release', version: 1 }]);
  });

  it('keeps a version that is assigned but not served: it is warm for a rollback', () => {
    const target = assignmentOf({ generation: 2, serve: serving(2), versions: [artifactOf(1), artifactOf(2)] });
    expect(kinds(target, stateOf({ 1: 'prepared', 2: 'prepared' }, served(2, 2)))).toEqual([]);
  });

  it('tries a failed version again when its time has come', () => {
    const failed = (retryAt: number) => stateOf({ 1: { state: 'failed', tries: 1, retryAt, failure: { code: 'NODE_BLOB_UNAVAILABLE', message: 'gone' } } }, served(1));
    expect(kinds(assignmentOf(), failed(NOW + 1))).toEqual([]);
    expect(nextLookAt(failed(NOW + 1), NOW)).toBe(NOW + 1);
    expect(kinds(assignmentOf(), failed(NOW))).toEqual(['prepare']);
  });

  it('removes an app that is not assigned, after what is under way', () => {
    expect(kinds(undefined, stateOf({ 1: 'prepared' }, served(1)))).toEqual(['remove']);
    expect(kinds(undefined, stateOf({ 1: 'prepared', 2: 'preparing' }, served(1)))).toEqual([]);
    expect(kinds(undefined, stateOf({ 1: 'prepared' }, { ...served(1), switching: true }))).toEqual([]);
    expect(kinds(undefined, stateOf({}))).toEqual([]);
  });

  it('begins anew with an app that was deleted and made again under the same name', () => {
    const target = assignmentOf({ generation: 9, versions: [artifactOf(1, digestLike('other'))] });
    expect(kinds(target, stateOf({ 1: 'prepared' }, served(1)))).toEqual(['remove']);
    expect(kinds(assignmentOf({ org: 'another' }), stateOf({ 1: 'prepared' }, served(1)))).toEqual(['remove']);
  });
});
