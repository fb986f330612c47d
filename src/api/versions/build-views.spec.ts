import { describe, expect, it } from '@jest/globals';
import type { ComponentBuild } from '#contract/artifact.js';
import { toBuildViews } from './build-views.js';
import type { VersionDetails } from './version.repository.js';

const version = { manifest: '', app: { components: [{ id: 'web', source: 'sha256:0', sourceBytes: 8, limits: { cpuMs: 9 } }], triggers: [] } } as unknown as VersionDetails;
const build = (engine: string, imports: string[] = []): Record<string, ComponentBuild> => ({ web: { engine, imports, exports: [], handlers: [], componentized: false } as unknown as ComponentBuild });
const built = (engine: string, imports?: string[]) => ({ engine, builds: build(engine, imports), failure: null });
const HERE = { engine: '4', maxima: { cpuMs: 5, wallMs: 7 } };

describe(toBuildViews.name, () => {
  it('groups imports by package, a plain name by itself', () => {
    const [component] = toBuildViews(version, [built('4', ['wasi:http/types@0.2.3', 'log', 'wasi:http/outgoing-handler@0.2.3', 'fermyon:spin/key-value@2.0.0', 'a:b/c'])], HERE).components;
    expect(component!.capabilities).toEqual([
      { package: 'a:b', interfaces: ['c'] },
      { package: 'fermyon:spin@2.0.0', interfaces: ['key-value'] },
      { package: 'log', interfaces: [] },
      { package: 'wasi:http@0.2.3', interfaces: ['outgoing-handler', 'types'] },
    ]);
  });

  it('shows what the newest build found out, and which engines it is built for', () => {
    const failure = { code: 'REGISTRY_COMPONENT_UNSUPPORTED', message: 'no' };
    const view = toBuildViews(version, [{ engine: '4', builds: null, failure }, built('3')], HERE);
    expect(view.components).toMatchObject([{ engine: '3', reset: null }]);
    expect(view.builds).toEqual([{ engine: '4', state: 'failed', reason: failure }, { engine: '3', state: 'built' }]);
  });

  it('shows what each component gets of the limits', () => {
    expect(toBuildViews(version, [], HERE).components).toMatchObject([{ limits: { cpuMs: 5, wallMs: 7 } }]);
  });

  it('is being built for the engine of the control plane when nothing is known of that', () => {
    expect(toBuildViews(version, [built('3')], HERE).builds).toEqual([{ engine: '4', state: 'building' }, { engine: '3', state: 'built' }]);
    expect(toBuildViews(version, [], HERE).components).toMatchObject([{ engine: null, imports: [] }]);
  });
});
