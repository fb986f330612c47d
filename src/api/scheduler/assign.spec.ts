import { describe, expect, it } from '@jest/globals';
import type { VersionArtifact } from '#contract/artifact.js';
import type { TrafficShare } from '#contract/assignment.js';
import { NO_RUNTIME_GRANT } from '#contract/runtime-grant.js';
import { type DesiredChannel, heldVersions, toAssignment } from './assign.js';

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

describe(toAssignment.name, () => {
  it('gives a channel its host, its versions and its values', () => {
    const assignment = toAssignment(channel({ candidates: [3] }), 'example.org');
    expect(assignment).toMatchObject({ hosts: ['hello.example.org'], generation: 3, serve: serve(2), variables: { a: 'b' } });
    expect(assignment.versions.map((version) => version.version)).toEqual([1, 2, 3]);
  });

  it('puts another channel before the app in its host', () => {
    expect(toAssignment(channel({ channel: 'staging' }), 'example.org').hosts).toEqual(['staging--hello.example.org']);
  });

  it('names a channel with nothing to hold, so that nodes let go of what they had', () => {
    expect(toAssignment(channel({ serve: [], previousVersion: null }), 'localhost')).toMatchObject({ app: 'hello', serve: [], versions: [] });
  });

  it('leaves a version out that is not built for the engine', () => {
    expect(toAssignment(channel({ artifacts: new Map([[1, artifact(1)]]) }), 'localhost').versions.map((version) => version.version)).toEqual([1]);
  });
});
