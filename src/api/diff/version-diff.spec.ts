import { describe, expect, it } from '@jest/globals';
import type { ComponentBuild } from '#contract/artifact.js';
import { LockedApp, type LockedComponent } from '#contract/bundle/locked-app.js';
import type { LockedDependency } from '#contract/bundle/locked-dependency.js';
import { capabilitiesOf, describeCapability, grantedOnes, newCapabilities, type VersionContents } from './capabilities.js';
import { versionDiff } from './version-diff.js';

const digest = (letter: string) => `sha256:${letter.repeat(64)}` as LockedComponent['source'];
const file = (path: string, letter: string, bytes = 10) => ({ path, digest: digest(letter), bytes });

function component(id: string, change: Partial<LockedComponent> = {}): LockedComponent {
  return {
    id, source: digest('a'), sourceBytes: 100, environment: {}, files: [], variables: {}, allowedOutboundHosts: [], keyValueStores: [], sqliteDatabases: [], aiModels: [], limits: {},
    ...change,
  };
}

function dependency(name: string, inherit: LockedDependency['inherit'], dependencies: LockedDependency[] = []): LockedDependency {
  return { name, source: digest('d'), sourceBytes: 7, inherit, dependencies };
}

function version(number: number, components: LockedComponent[], imports: Record<string, string[]> = {}, app: Partial<LockedApp> = {}): VersionContents {
  const whole = LockedApp.parse({ name: 'shop', version: '1', description: '', authors: [], variables: {}, triggers: [], components, ...app });
  const builds = Object.fromEntries(components.map(({ id }) => [id, { imports: imports[id] ?? [] } as unknown as ComponentBuild]));
  return { number, manifest: 'a = 1\n', app: whole, builds };
}

describe(versionDiff.name, () => {
  it('finds nothing between a version and itself', () => {
    const one = version(1, [component('web', { allowedOutboundHosts: ['https://a'], files: [file('/x', 'b')] })], { web: ['wasi:http/types@0.2.3'] });
    expect(versionDiff(one, one)).toEqual({
      from: 1, to: 1, application: { added: [], removed: [], changed: [] }, components: { added: [], removed: [], changed: [] }, bytes: { from: 110, to: 110 },
      triggers: { added: [], removed: [], changed: [] }, variables: { added: [], removed: [], changed: [] }, manifest: null, capabilities: { added: [], removed: [] },
    });
  });

  it('names components that came, went and have other code', () => {
    const { components } = versionDiff(
      version(1, [component('web'), component('old')]),
      version(2, [component('web', { source: digest('b'), sourceBytes: 120 }), component('new', { files: [file('/x', 'c')] })]),
    );
    expect(components).toMatchObject({
      added: [{ id: 'new', digest: digest('a'), bytes: 100, files: 1 }],
      removed: [{ id: 'old', files: 0 }],
      changed: [{ id: 'web', source: { from: { digest: digest('a'), bytes: 100 }, to: { digest: digest('b'), bytes: 120 } } }],
    });
  });

  it('names files, limits, environment and templates of one that is there in both', () => {
    const before = component('web', { files: [file('/same', 'b'), file('/gone', 'c'), file('/other', 'd', 5)], limits: { cpuMs: 5, wallMs: 9 }, environment: { A: '1' }, variables: { t: '{{ x }}' } });
    const after = component('web', { files: [file('/same', 'b'), file('/come', 'c'), file('/other', 'e', 6)], limits: { cpuMs: 7 }, environment: { A: '1', B: '2' }, variables: {} });
    const [change] = versionDiff(version(1, [before]), version(2, [after])).components.changed;
    expect(change).toMatchObject({
      source: null,
      files: { added: [{ name: '/come' }], removed: [{ name: '/gone' }], changed: [{ name: '/other', from: { digest: digest('d'), bytes: 5 }, to: { digest: digest('e'), bytes: 6 } }], leftOut: 0 },
      limits: { added: [], removed: [{ name: 'wallMs', value: 9 }], changed: [{ name: 'cpuMs', from: 5, to: 7 }] },
      environment: { added: [{ name: 'B', value: '2' }] },
      variables: { removed: [{ name: 't', value: '{{ x }}' }] },
    });
  });

  it('lists no more files than anybody reads, and says how many it left out', () => {
    const many = component('web', { files: Array.from({ length: 1_700 }, (_, i) => file(`/${i}`, 'b')) });
    const [change] = versionDiff(version(1, [component('web')]), version(2, [many])).components.changed;
    expect([change!.files.added.length, change!.files.leftOut]).toEqual([500, 1_200]);
  });

  it('names triggers with their routes, and variables', () => {
    const trigger = (id: string, route: string) => ({ type: 'http' as const, id, route, component: 'web', executor: { type: 'http' as const } });
    const before = version(1, [component('web')], {}, { triggers: [trigger('t1', '/a'), trigger('t2', '/b')], variables: { x: { secret: false, default: '1' } } });
    const after = version(2, [component('web')], {}, { triggers: [trigger('t1', '/c'), trigger('t3', '/d')], variables: { x: { secret: true }, y: { secret: false } } });
    const { triggers, variables } = versionDiff(before, after);
    expect(triggers).toMatchObject({ added: [{ name: 't3', value: { route: '/d' } }], removed: [{ name: 't2' }], changed: [{ name: 't1', from: { route: '/a' }, to: { route: '/c' } }] });
    expect(variables).toMatchObject({ added: [{ name: 'y' }], changed: [{ name: 'x', from: { secret: false }, to: { secret: true } }] });
  });

  it('compares what dependencies are and inherit, theirs too', () => {
    const before = component('web', { dependencies: [dependency('a:b', [], [dependency('c:d', [])])] });
    const after = component('web', { dependencies: [dependency('a:b', [], [dependency('c:d', ['files'])])] });
    const diff = versionDiff(version(1, [before]), version(2, [after]));
    expect(diff.components.changed[0]!.dependencies.changed).toMatchObject([{ name: 'a:b > c:d', from: { inherit: [] }, to: { inherit: ['files'] } }]);
    expect(diff.capabilities.added).toEqual([{ kind: 'inherited', name: 'files', dependency: 'web > a:b > c:d', components: ['web'] }]);
  });
});

describe(capabilitiesOf.name, () => {
  it('has interfaces by what is used through them, without their versions', () => {
    const { app, builds } = version(1, [component('web')], { web: ['wasi:http/outgoing-handler@0.2.3', 'wasi:clocks/wall-clock@0.2.3', 'fermyon:spin/llm'] });
    expect(capabilitiesOf({ app, builds })).toEqual([
      { kind: 'interface', name: 'fermyon:spin/llm', group: 'ai_models', components: ['web'] },
      { kind: 'interface', name: 'wasi:clocks/wall-clock', components: ['web'] },
      { kind: 'interface', name: 'wasi:http/outgoing-handler', group: 'allowed_outbound_hosts', components: ['web'] },
    ]);
  });

  it('has hosts, stores, databases and models, each once with the components that ask', () => {
    const both = [component('a', { allowedOutboundHosts: ['https://x'], keyValueStores: ['default'] }), component('b', { allowedOutboundHosts: ['https://x'], sqliteDatabases: ['books'], aiModels: ['llama'] })];
    expect(capabilitiesOf(version(1, both)).map(describeCapability)).toEqual([
      'ai model llama (b)', 'key value store default (a)', 'outbound host https://x (a, b)', 'sqlite database books (b)',
    ]);
  });
});

describe(newCapabilities.name, () => {
  const asked = (...hosts: string[]) => capabilitiesOf(version(1, [component('web', { allowedOutboundHosts: hosts })]));

  it('has what was not asked for before, and nothing when less is asked for', () => {
    expect(newCapabilities(asked('https://a'), asked('https://a', 'https://b')).map(({ name }) => name)).toEqual(['https://b']);
    expect(newCapabilities(asked('https://a', 'https://b'), asked('https://a'))).toEqual([]);
  });

  it('knows nothing of another version of an interface, nor of another component that asks for the same', () => {
    const before = capabilitiesOf(version(1, [component('web')], { web: ['wasi:http/outgoing-handler@0.2.0'] }));
    const after = capabilitiesOf(version(2, [component('api')], { api: ['wasi:http/outgoing-handler@0.2.6'] }));
    expect(newCapabilities(before, after)).toEqual([]);
  });

  it('is no news to somebody who grants things when it is a clock', () => {
    const after = capabilitiesOf(version(2, [component('web')], { web: ['wasi:clocks/wall-clock@0.2.3', 'wasi:sockets/tcp@0.2.3'] }));
    expect(grantedOnes(newCapabilities([], after)).map(({ name }) => name)).toEqual(['wasi:sockets/tcp']);
  });
});
