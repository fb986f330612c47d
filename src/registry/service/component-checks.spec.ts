import { describe, expect, it } from '@jest/globals';
import type { HttpExecutor, LockedTrigger } from '#contract/bundle/locked-app.js';
import { handlersOf } from '#engine/build/handlers.js';
import { buildRefusal, checkHandlers, checkImports, checkMemory } from './component-checks.js';

const trigger = (component: string | undefined, executor: HttpExecutor = { type: 'http' }): LockedTrigger => ({ type: 'http', id: 't', route: '/', ...(component && { component }), executor });
const built = (...exports: string[]) => ({ handlers: handlersOf(exports), exports: [...exports, 'a:b/c@1.0.0'] });
const [HTTP_02, SPIN, RUN] = ['wasi:http/incoming-handler@0.2.3', 'fermyon:spin/inbound-http', 'wasi:cli/run@0.2.3'];
const wagi = { type: 'wagi', argv: '' } as const;

describe(checkImports.name, () => {
  it('lets through what the platform answers, at any patch version', () => {
    checkImports('main', { imports: ['wasi:http/types@0.2.0', 'wasi:http/types@0.2.0-rc-2023-11-10', 'wasi:http/types@0.2.12', 'wasi:http/client@0.3.0', 'fermyon:spin/key-value@2.0.0'] });
  });

  it('names every import that nothing answers', () => {
    expect(() => checkImports('main', { imports: ['wasi:io/poll@0.2.0', 'acme:x/y', 'wasi:http/types@0.2.0-rc-2023-12-05', 'run'] })).toThrow(
      expect.objectContaining({ code: 'REGISTRY_IMPORT_UNKNOWN', message: 'component "main" imports "acme:x/y", "wasi:http/types@0.2.0-rc-2023-12-05", "run", which nothing here answers' }),
    );
  });
});

describe(checkHandlers.name, () => {
  it.each<[string[], HttpExecutor]>([
    [[HTTP_02], { type: 'http' }], [['wasi:http/handler@0.3.0'], { type: 'http' }], [[SPIN], { type: 'http' }], [[SPIN, RUN], { type: 'http' }], [[RUN], wagi],
    [['wasi:http/incoming-handler@0.2.0-rc-2023-10-18'], { type: 'http' }], [['wasi:http/handler@0.3.0-rc-2026-03-15'], { type: 'http' }], [['wasi:cli/run@0.3.0'], wagi],
  ])('takes %j for %j', (exports, executor) => checkHandlers('main', [trigger('main', executor)], built(...exports)));

  it.each<[string[], HttpExecutor, RegExp]>([
    [[], { type: 'http' }, /^component "main", which trigger "t" calls, has no HTTP handler: it exports "a:b\/c@1.0.0"$/],
    [[RUN], { type: 'http' }, /executor = \{ type = "wagi" \}/],
    [[HTTP_02, SPIN], { type: 'http' }, /more than one HTTP handler \("wasi:http\/incoming-handler@0.2.3", "fermyon:spin\/inbound-http"\)/],
    [[HTTP_02, 'wasi:http/incoming-handler@0.2.0-rc-2023-11-10'], { type: 'http' }, /more than one HTTP handler/],
    [[HTTP_02], wagi, /is no program/],
  ])('refuses %j for %j', (exports, executor, message) => {
    expect(() => checkHandlers('main', [trigger('main', executor)], built(...exports))).toThrow(expect.objectContaining({ code: 'REGISTRY_HANDLER_MISSING', message: expect.stringMatching(message) }));
  });

  it('looks at the triggers of this component alone', () => checkHandlers('main', [trigger('other'), trigger(undefined)], built()));
});

describe(checkMemory.name, () => {
  it('holds the start of an instance against the component\'s own limit', () => {
    checkMemory({ id: 'main', limits: {} }, 10 ** 9);
    checkMemory({ id: 'main', limits: { memoryBytes: 65536 } }, 65536);
    expect(() => checkMemory({ id: 'main', limits: { memoryBytes: 65536 } }, 131072)).toThrow(expect.objectContaining({ code: 'REGISTRY_COMPONENT_TOO_LARGE' }));
  });
});

describe(buildRefusal.name, () => {
  it.each([
    ['not-wasm', 'REGISTRY_COMPONENT_INVALID'], ['malformed', 'REGISTRY_COMPONENT_INVALID'], ['invalid', 'REGISTRY_COMPONENT_INVALID'], ['componentize', 'REGISTRY_COMPONENT_INVALID'],
    ['unsupported', 'REGISTRY_COMPONENT_UNSUPPORTED'], ['limit', 'REGISTRY_COMPONENT_TOO_LARGE'], ['internal', 'REGISTRY_BUILD_FAILED'],
  ] as const)('answers %s with %s', (kind, code) => expect(buildRefusal('main', { ok: false, kind, message: 'why' })).toMatchObject({ code, message: 'component "main": why' }));
});
