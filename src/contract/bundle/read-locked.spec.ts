import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { lockApp } from './lock.js';
import { parseLockedApp } from './read-locked.js';

const sha256 = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const WASM = sha256('wasm');

/** What `spin registry push` writes for an app with one component. */
const spin = ({ component = {}, trigger = {}, ...app }: { component?: object; trigger?: object; [key: string]: unknown } = {}) => ({
  spin_lock_version: 1,
  must_understand: [],
  metadata: { name: 'shop', version: '1.2.0', description: 'sells', authors: ['Ann <a@x.org>'], trigger: { type: 'http' }, triggers: { http: {} } },
  host_requirements: {},
  variables: {},
  triggers: [{ id: 'hello-http-trigger', trigger_type: 'http', trigger_config: { component: 'hello', executor: null, route: '/...', ...trigger } }],
  components: [{ id: 'hello', metadata: { build: { command: 'make' } }, source: { content_type: 'application/wasm', digest: WASM }, env: {}, files: [], config: {}, dependencies: {}, host_requirements: {}, ...component }],
  ...app,
});
const parse = (app: unknown) => parseLockedApp(JSON.stringify(app));
const refusal = (app: unknown) => {
  try {
    parse(app);
  } catch (error) {
    return error as { code: string; message: string; fields?: Record<string, string[]> };
  }
  throw new Error('it was taken');
};

describe(parseLockedApp.name, () => {
  it('reads what spin writes as the manifest that it was made of', () => {
    const page = Buffer.from('hi');
    const { manifest, contents } = parse(spin({
      variables: { greeting: { default: 'hello' }, api_key: { secret: true, description: 'of the shop' } },
      component: {
        metadata: { description: 'says hello', allowed_outbound_hosts: ['https://x.org', 'http://other.spin.internal'], key_value_stores: ['default'], databases: ['main'], ai_models: ['llama2-chat'], tool: { whorl: { cpu_ms: 7 } } },
        env: { A: 'b' }, config: { greeting: '{{ greeting }}!' },
        files: [{ path: '/www/page', inline: page.toString('base64').replaceAll('=', ''), digest: sha256('hi') }, { path: 'data.bin', digest: sha256('data') }],
        host_requirements: { local_service_chaining: 'required' },
      },
      must_understand: ['component_host_requirements'],
    }));
    expect(contents).toEqual([
      { digest: WASM, at: ['components', 0, 'source'] },
      { digest: sha256('hi'), at: ['components', 0, 'files', 0], inline: page },
      { digest: sha256('data'), at: ['components', 0, 'files', 1] },
    ]);
    const { app, warnings } = lockApp(manifest, { entries: new Map(contents.map(({ digest }, i) => [digest, { digest, bytes: i }])), folders: new Set() });
    expect(app).toEqual({
      name: 'shop', version: '1.2.0', description: 'sells', authors: ['Ann <a@x.org>'],
      variables: { greeting: { default: 'hello', secret: false }, api_key: { secret: true, description: 'of the shop' } },
      triggers: [{ type: 'http', id: 'hello-http-trigger', route: '/...', component: 'hello', executor: { type: 'http' } }],
      components: [{
        id: 'hello', description: 'says hello', source: WASM, sourceBytes: 0, environment: { A: 'b' }, variables: { greeting: '{{ greeting }}!' },
        files: [{ path: '/data.bin', digest: sha256('data'), bytes: 2 }, { path: '/www/page', digest: sha256('hi'), bytes: 1 }],
        allowedOutboundHosts: ['https://x.org', 'http://other.spin.internal'], keyValueStores: ['default'], sqliteDatabases: ['main'], aiModels: ['llama2-chat'], limits: { cpuMs: 7 },
      }],
    });
    expect(warnings).toEqual([{ line: undefined, path: 'components[0].metadata.allowed_outbound_hosts[1]', message: expect.stringContaining('no component "other"') }]);
  });

  it('reads private routes, WAGI, static answers and what triggers of a type share', () => {
    const app = spin({ trigger: { route: { private: true }, executor: { type: 'wagi', argv: 'x' } } });
    app.triggers.push({ id: 'robots', trigger_type: 'http', trigger_config: { route: '/robots.txt', static_response: { body: 'no' } } as never });
    expect(parse(app).manifest.triggers).toMatchObject([{ route: null, executor: { type: 'wagi', argv: 'x' } }, { id: 'robots', staticResponse: { status: 200, body: 'no' } }]);
    expect(parse(spin({ metadata: { name: 'old', triggers: {}, trigger: { type: 'http', base: '/' } } })).manifest.warnings).toMatchObject([{ path: 'metadata.trigger.base' }]);
  });

  it('takes middleware that the push has put into the component, which Spin still requires by name', () => {
    const { manifest } = parse(spin({ must_understand: ['component_host_requirements'], component: { metadata: { 'resolve-trigger-dependencies-using': 'http' }, host_requirements: { middleware: 'required' } } }));
    expect(manifest.components).toHaveLength(1);
  });

  it('leaves optional features and unknown fields alone', () => {
    expect(parse(spin({ host_requirements: { gpu: 'optional' }, whatever: 1, component: { host_requirements: { quantum: 'optional' }, more: {} } })).manifest.components).toHaveLength(1);
  });

  it('reads dependencies with what they inherit', () => {
    const dependency = (inherit?: unknown, exported: string | null = null) => ({ source: { content_type: 'application/wasm', digest: sha256(`dep ${JSON.stringify(inherit)}`) }, export: exported, inherit });
    const { manifest } = parse(spin({ component: { dependencies: { 'a:b/c@1.0.0': dependency('All', 'a:b/d@1.0.0'), 'e:f/g': dependency({ Some: ['environment'] }), 'h:i': dependency() } } }));
    expect(manifest.components[0]!.dependencies).toMatchObject([
      { name: 'a:b/c@1.0.0', export: 'a:b/d@1.0.0', inherit: expect.arrayContaining(['ai_models', 'environment', 'variables']) },
      { name: 'e:f/g', inherit: ['environment'] },
      { name: 'h:i', inherit: [] },
    ]);
  });

  it.each([
    ['a host feature that is required', spin({ host_requirements: { gpu: 'required' } }), 'BUNDLE_UNSUPPORTED', /^locked app host_requirements\.gpu: .*"gpu"/],
    ['a host feature that a component requires', spin({ component: { host_requirements: { quantum: 'required' } } }), 'BUNDLE_UNSUPPORTED', /components\[0\]\.host_requirements\.quantum: .*"quantum"/],
    ['what must be understood and is not', spin({ must_understand: ['host_requirements', 'quantum'] }), 'BUNDLE_UNSUPPORTED', /must_understand\[1\]: .*"quantum"/],
    ['a later format', spin({ spin_lock_version: 2 }), 'BUNDLE_MANIFEST_INVALID', /spin_lock_version: only versions 0 and 1/],
    ['another kind of trigger', { ...spin(), triggers: [{ id: 'r', trigger_type: 'redis', trigger_config: { channel: 'x' } }] }, 'BUNDLE_UNSUPPORTED', /triggers\[0\]\.trigger_type: triggers of type "redis"/],
    ['a route that is none', spin({ trigger: { route: '/a/.../b' } }), 'BUNDLE_MANIFEST_INVALID', /triggers\[0\]\.trigger_config\.route: /],
    ['a trigger of a component that is not there', spin({ trigger: { component: 'nobody' } }), 'BUNDLE_MANIFEST_INVALID', /triggers\[0\]\.trigger_config\.component: there is no component "nobody"/],
    ['a trigger with a component inside', spin({ trigger: { component: { source: 'x.wasm' } } }), 'BUNDLE_MANIFEST_INVALID', /trigger_config\.component: expected the id/],
    ['a setting of a trigger that is not known', spin({ trigger: { constructor: 1 } }), 'BUNDLE_MANIFEST_INVALID', /triggers\[0\]\.trigger_config\.constructor: unknown key/],
    ['middleware', spin({ component: { trigger_dependencies: { middleware: [{}] }, host_requirements: { middleware: 'required' } } }), 'BUNDLE_UNSUPPORTED', /components\[0\]\.trigger_dependencies\.middleware/],
    ['an id that is none', spin({ component: { id: 'a/../b' } }), 'BUNDLE_MANIFEST_INVALID', /components\[0\]\.id: "a\/\.\.\/b"/],
    ['a host that is none', spin({ component: { metadata: { allowed_outbound_hosts: ['x.org'] } } }), 'BUNDLE_MANIFEST_INVALID', /components\[0\]\.metadata\.allowed_outbound_hosts\[0\]: "x\.org": expected scheme/],
    ['a label that is none', spin({ component: { metadata: { databases: ['Not-a label'] } } }), 'BUNDLE_MANIFEST_INVALID', /components\[0\]\.metadata\.databases\[0\]/],
    ['an unknown variable', spin({ component: { config: { a: '{{ nope }}' } } }), 'BUNDLE_MANIFEST_INVALID', /components\[0\]\.config\.a: unknown variable "nope"/],
    ['a variable with a bad name', spin({ variables: { 'No-Name': { default: '' } } }), 'BUNDLE_MANIFEST_INVALID', /variables\.No-Name: /],
    ['a limit that is none', spin({ component: { metadata: { tool: { whorl: { cpu_ms: 0 } } } } }), 'BUNDLE_MANIFEST_INVALID', /components\[0\]\.metadata\.tool\.whorl\.cpu_ms: must be above 0/],
    ['a file outside', spin({ component: { files: [{ path: '/../x', digest: WASM }] } }), 'BUNDLE_MANIFEST_INVALID', /components\[0\]\.files\[0\]\.path: .*"\.\."/],
    ['a file below a file', spin({ component: { files: [{ path: '/x', digest: WASM }, { path: '/x/y', digest: WASM }] } }), 'BUNDLE_MANIFEST_INVALID', /components\[0\]\.files\[1\]: \/x would be a file and a folder/],
    ['a file that is a digest of nothing', spin({ component: { files: [{ path: '/x', digest: 'md5:1' }] } }), 'BUNDLE_MANIFEST_INVALID', /components\[0\]\.files\[0\]\.digest: "md5:1"/],
    ['inline bytes with another digest', spin({ component: { files: [{ path: '/x', inline: 'aGk', digest: WASM }] } }), 'BUNDLE_MANIFEST_INVALID', /files\[0\]\.inline: these bytes are sha256:8f43/],
    ['what is no base64', spin({ component: { files: [{ path: '/x', inline: '!' }] } }), 'BUNDLE_MANIFEST_INVALID', /files\[0\]\.inline: is no base64/],
    ['a place on the machine that pushed', spin({ component: { source: { source: 'file:///home/ann/x.wasm' } } }), 'BUNDLE_MANIFEST_INVALID', /components\[0\]\.source: "file:.* is a place on the machine that pushed/],
    ['an app without a name', spin({ metadata: {} }), 'BUNDLE_MANIFEST_INVALID', /metadata\.name: is required/],
    ['an app without triggers', spin({ triggers: [] }), 'BUNDLE_MANIFEST_INVALID', /^locked app triggers: the app has no trigger/],
    ['an odd inheritance', spin({ component: { dependencies: { 'a:b': { source: { digest: WASM }, inherit: 'Everything' } } } }), 'BUNDLE_MANIFEST_INVALID', /dependencies\["a:b"\]\.inherit|dependencies\."a:b"\.inherit/],
    ['something else', [1], 'BUNDLE_MANIFEST_INVALID', /^locked app expected a table/],
  ])('refuses %s', (_, app, code, message) => {
    expect(refusal(app)).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('refuses what is no JSON, and what is too long', () => {
    expect(() => parseLockedApp('{')).toThrow(expect.objectContaining({ code: 'BUNDLE_MANIFEST_SYNTAX' }));
    expect(() => parseLockedApp(' '.repeat(9 * 1024 * 1024))).toThrow(expect.objectContaining({ code: 'BUNDLE_TOO_LARGE' }));
  });

  it('refuses with a reason, whatever stands in whichever place', () => {
    const whole = spin({
      variables: { greeting: { default: 'x' } },
      component: { metadata: { allowed_outbound_hosts: ['https://x.org'], tool: { whorl: { cpu_ms: 1 } } }, env: { A: 'b' }, config: { a: '{{ greeting }}' }, files: [{ path: 'x', digest: WASM, inline: 'd2FzbQ' }], dependencies: { 'a:b/c': { source: { digest: WASM }, export: null, inherit: { Some: ['environment'] } } } },
    });
    const places: [object, string][] = [];
    const walk = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      for (const key of Object.keys(value)) {
        places.push([value, key]);
        walk((value as Record<string, unknown>)[key]);
      }
    };
    walk(whole);
    const odd: unknown[] = [null, 0, -1, 1e300, '', '__proto__', '../..', true, [], [null], [[]], {}, { constructor: {} }, JSON.parse('{"__proto__":{"a":1}}'), { toString: 'x' }];
    let refused = 0;
    for (const [holder, key] of places) {
      const kept = (holder as Record<string, unknown>)[key];
      for (const value of odd) {
        (holder as Record<string, unknown>)[key] = value;
        try {
          parse(whole);
        } catch (error) {
          expect((error as { code?: string }).code).toMatch(/^BUNDLE_/);
          expect((error as Error).message).not.toContain('undefined');
          refused++;
        }
      }
      (holder as Record<string, unknown>)[key] = kept;
    }
    expect(places.length).toBeGreaterThan(50);
    expect(refused).toBeGreaterThan(300);
  });

  it('names everything that is wrong at once, by path', () => {
    const { fields } = refusal(spin({ trigger: { route: '/a/.../b' }, component: { config: { a: '{{ nope }}' } }, host_requirements: { gpu: 'required' } }));
    expect(Object.keys(fields!)).toEqual(expect.arrayContaining(['triggers[0].trigger_config.route', 'components[0].config.a', 'host_requirements.gpu']));
  });
});
