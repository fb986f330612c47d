import { describe, expect, it } from '@jest/globals';
import type { VersionArtifact } from '#contract/artifact.js';
import type { TrafficShare } from '#contract/assignment.js';
import { NO_RUNTIME_GRANT } from '#contract/runtime-grant.js';
import { assign, type DesiredChannel, heldVersions } from './assign.js';

const serve = (version: number): TrafficShare[] => [{ version, percent: 100 }] as TrafficShare[];
const artifact = (version: number, digest = `sha256:${String(version).repeat(64)}`): VersionArtifact => ({ version, digest, app: {}, builds: {} }) as unknown as VersionArtifact;
const channel = (change: Partial<DesiredChannel> = {}): DesiredChannel => ({
  org: 'default', app: 'hello', channel: 'production', generation: 3, serve: serve(2), previousVersion: 1, candidates: [], variables: { a: 'b' },
  variablesRevision: 1, runtime: NO_RUNTIME_GRANT, artifacts: new Map([1, 2, 3].map((version) => [version, artifact(version)])), ...change,
});

describe(heldVersions.name, () => {
  it('holds what is served, what is being rolled out and what was served before, each once', () => {
    expect(heldVersions({ serve: serve(2), previousVersion: 1, candidates: [3, 2] })).toEqual([1, 2, 3]);
    expect(heldVersions({ serve: [], previousVersion: null, candidates: [] })).toEqual([]);
  });
});

describe(assign.name, () => {
  it('gives every channel its host, its versions and its values', () => {
    const [assignment] = assign([channel({ candidates: [3] })], [], 'example.org').assignments;
    expect(assignment).toMatchObject({ hosts: ['hello.example.org'], generation: 3, serve: serve(2), variables: { a: 'b' } });
    expect(assignment!.versions.map((version) => version.version)).toEqual([1, 2, 3]);
  });

  it('puts another channel before the app in its host', () => {
    expect(assign([channel({ channel: 'staging' })], [], 'example.org').assignments[0]!.hosts).toEqual(['staging--hello.example.org']);
  });

  it('names a channel with nothing to hold, so that nodes let go of what they had', () => {
    expect(assign([channel({ serve: [], previousVersion: null })], [], 'localhost').assignments).toMatchObject([{ app: 'hello', serve: [], versions: [] }]);
  });

  it('names what is gone for good, and has another revision for it', () => {
    const gone = [{ app: 'old', channel: 'production', generation: 4 }] as unknown as Parameters<typeof assign>[1];
    expect(assign([], gone, 'localhost').removed).toEqual(gone);
    expect(assign([], gone, 'localhost').revision).not.toBe(assign([], [], 'localhost').revision);
  });

  it('has the same revision for the same state', () => {
    expect(assign([channel()], [], 'localhost').revision).toBe(assign([channel({ artifacts: new Map([1, 2].map((version) => [version, artifact(version)])) })], [], 'localhost').revision);
  });

  it.each<[string, Partial<DesiredChannel>]>([
    ['the generation', { generation: 4 }],
    ['what is served', { serve: serve(1) }],
    ['the candidates', { candidates: [3] }],
    ['the values', { variablesRevision: 2 }],
    ['the bytes behind a number, as when a name is used again', { artifacts: new Map([1, 2].map((version) => [version, artifact(version, `sha256:${'f'.repeat(64)}`)])) }],
  ])('has another revision when %s change', (_what, change) => {
    expect(assign([channel(change)], [], 'localhost').revision).not.toBe(assign([channel()], [], 'localhost').revision);
  });
});
