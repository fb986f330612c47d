import { describe, expect, it } from '@jest/globals';
import { WhorlError } from '#contract/errors.js';
import { LIMIT_NAMES, toLimitKey } from './component-limits.js';
import { parseManifest } from './manifest.js';

const HEAD = 'spin_manifest_version = 2\n[application]\nname = "app"\n';
const HELLO = '[component.hello]\nsource = "hello.wasm"\n';
const TRIGGER = '[[trigger.http]]\nroute = "/..."\ncomponent = "hello"\n';

function refusal(text: string): WhorlError {
  try {
    parseManifest(text);
  } catch (error) {
    expect(error).toBeInstanceOf(WhorlError);
    return error as WhorlError;
  }
  throw new Error('the manifest was taken');
}

const FULL = `
spin_manifest_version = 2

[application]
name = "full"
version = "1.2.3"
description = "all there is"
authors = ["A <a@example.com>"]
targets = ["spin-up:3.3", { url = "https://example.com/env.toml" }, { path = "env.toml" }]

[application.trigger.http]
base = "/"

[application.tool.any]
thing = [1, 2.5, 1979-05-27]

[variables]
greeting = { default = "hi", description = "what is said" }
token = { required = true, secret = true }

[[trigger.http]]
id = "front-door"
route = "/api/:id/..."
component = "front-end"
executor = { type = "wagi", argv = "a b" }

[[trigger.http]]
route = { private = true }
component = "back"
executor = { type = "spin" }

[[trigger.http]]
route = "/robots.txt"
static_response = { status_code = 203, headers = { content-type = "text/plain" }, body = "no" }

[[trigger.http]]
route = "/inline"
component = { source = "inline.wasm" }

[component.front-end]
source = "./front/end.wasm"
description = "front"
variables = { hello = "{{ greeting }} {{token}}" }
environment = { KEY = "{{ not_a_template }}" }
files = ["assets/**/*", { source = "static", destination = "/www" }]
exclude_files = ["**/*.map"]
allowed_outbound_hosts = ["https://example.com", "http://back.spin.internal", "redis://{{ token }}:6379"]
key_value_stores = ["default", "my_store"]
sqlite_databases = ["main-db"]
ai_models = ["llama2-chat"]
targets = ["spin-up:3.3"]
dependencies_inherit_configuration = false

[component.front-end.build]
command = ["one", "two"]
workdir = "front"
watch = ["src/**/*"]

[component.front-end.tool.whorl]
cpu_ms = 100
wall_ms = 2000
memory_bytes = 67108864
concurrency = 4
reuse = { requests = 8, idle_ms = 50 }

[component.front-end.tool.spin-test]
source = "test.wasm"

[component.front-end.profile.debug]
source = "debug.wasm"
environment = { LOG = "1" }
build = { command = "make" }

[component.back]
source = { url = "https://example.com/back.wasm", digest = "sha256:${'a'.repeat(64)}" }
`;

describe(parseManifest.name, () => {
  it('reads every key of version 2', () => {
    const { document: _, ...manifest } = parseManifest(FULL);
    expect(manifest.application).toEqual({ name: 'full', version: '1.2.3', description: 'all there is', authors: ['A <a@example.com>'] });
    expect(manifest.variables).toEqual({ greeting: { default: 'hi', description: 'what is said', secret: false }, token: { secret: true } });
    expect(manifest.triggers).toEqual([
      { type: 'http', id: 'front-door', route: '/api/:id/...', component: 'front-end', executor: { type: 'wagi', argv: 'a b' } },
      { type: 'http', id: 'back-http-trigger', route: null, component: 'back', executor: { type: 'http' } },
      { type: 'http', id: 'http-trigger1', route: '/robots.txt', staticResponse: { status: 203, headers: { 'content-type': 'text/plain' }, body: 'no' }, executor: { type: 'http' } },
      { type: 'http', id: 'http-trigger2', route: '/inline', component: 'http-trigger2-component', executor: { type: 'http' } },
    ]);
    expect(manifest.components.map(({ id }) => id)).toEqual(['front-end', 'back', 'http-trigger2-component']);
    expect(manifest.components[0]).toEqual({
      id: 'front-end', at: ['component', 'front-end'], description: 'front', source: { path: 'front/end.wasm' }, variables: { hello: '{{ greeting }} {{token}}' },
      environment: { KEY: '{{ not_a_template }}' }, files: ['assets/**/*', { source: 'static', destination: '/www' }], excludeFiles: ['**/*.map'],
      allowedOutboundHosts: ['https://example.com', 'http://back.spin.internal', 'redis://{{ token }}:6379'], keyValueStores: ['default', 'my_store'],
      sqliteDatabases: ['main-db'], aiModels: ['llama2-chat'], dependencies: [], limits: { cpuMs: 100, wallMs: 2000, memoryBytes: 67108864, concurrency: 4 },
      reuse: { requests: 8, idleMs: 50 },
    });
    expect(manifest.warnings.map(({ path }) => path)).toEqual(['application.trigger.http.base']);
  });

  it('gives defaults where keys are left out', () => {
    const { application, components, triggers } = parseManifest(`${HEAD}${TRIGGER}${HELLO}`);
    expect(application).toEqual({ name: 'app', version: '', description: '', authors: [] });
    expect(components[0]).toMatchObject({ allowedOutboundHosts: [], files: [], keyValueStores: [], limits: {} });
    expect(triggers[0]).toEqual({ type: 'http', id: 'hello-http-trigger', route: '/...', component: 'hello', executor: { type: 'http' } });
  });

  it('takes every limit there is, and no other', () => {
    const own = (keys: string) => parseManifest(`${HEAD}${TRIGGER}${HELLO}\n[component.hello.tool.whorl]\n${keys}`).components[0]!.limits;
    const all = Object.fromEntries(LIMIT_NAMES.map((name, i) => [name, 65_536 + i]));
    expect(own(LIMIT_NAMES.map((name) => `${toLimitKey(name)} = ${all[name]}\n`).join(''))).toEqual(all);
    expect(() => own('log_lines = 5')).toThrow(expect.objectContaining({ code: 'BUNDLE_MANIFEST_INVALID' }));
    expect(() => own('queue_ms = 0')).toThrow(expect.objectContaining({ code: 'BUNDLE_MANIFEST_INVALID' }));
  });

  it.each([
    ['reuse = true', {}],
    ['reuse = false', undefined],
    ['cpu_ms = 5', undefined],
    ['reuse = {}', {}],
    ['reuse = { requests = 2, concurrent = 3, idle_ms = 4 }', { requests: 2, concurrent: 3, idleMs: 4 }],
  ])('reads whether instances are reused: %s', (keys, reuse) => {
    expect(parseManifest(`${HEAD}${TRIGGER}${HELLO}\n[component.hello.tool.whorl]\n${keys}`).components[0]!.reuse).toEqual(reuse);
  });

  it('makes up ids as Spin does', () => {
    const { triggers, components } = parseManifest(`${HEAD}${TRIGGER}[[trigger.http]]\nroute = "/a"\ncomponent = "hello"\n[[trigger.http]]\nid = "http-trigger1"\nroute = "/b"\ncomponent = "hello"
[[trigger.http]]\nid = "4 bad kebab"\nroute = "/c"\ncomponent = { source = "x.wasm" }\n${HELLO}`);
    expect(triggers.map(({ id }) => id)).toEqual(['hello-http-trigger', 'http-trigger2', 'http-trigger1', '4 bad kebab']);
    expect(components.map(({ id }) => id)).toEqual(['hello', 'inline-component1']);
  });

  it('leaves out a component that no trigger refers to, and says so', () => {
    const { components, warnings } = parseManifest(`${HEAD}${TRIGGER}${HELLO}[component.other]\nsource = "o.wasm"\n`);
    expect(components.map(({ id }) => id)).toEqual(['hello']);
    expect(warnings).toEqual([{ line: 9, path: 'component.other', message: expect.stringContaining('left out') }]);
  });

  const WITH = (component = '', trigger = '', head = '') => `${HEAD}${head}${TRIGGER}${trigger}${HELLO}${component}`;

  it.each<[string, string, RegExp]>([
    ['no version', '[application]\nname = "x"\n', /spin_manifest_version: is required/],
    ['a version that is not known', 'spin_manifest_version = 3\n', /line 1, spin_manifest_version: invalid manifest version.*got 3/],
    ['a version written as a string', 'spin_manifest_version = "2"\n', /invalid manifest version.*got "2"/],
    ['an unknown key at the top', WITH('', '', '').replace('[application]', 'extra = 1\n[application]'), /line 2, extra: unknown key; known here: spin_manifest_version, application/],
    ['an unknown key of the application', WITH('', '', 'nam = "x"\n'), /line 4, application.nam: unknown key/],
    ['an unknown key of a component', WITH('sorce = "x"\n'), /line 9, component.hello.sorce: unknown key; known here: source, /],
    ['an unknown key of a trigger', WITH('', 'routes = "/x"\n'), /line 7, trigger.http\[0\].routes: unknown key/],
    ['an unknown key of a variable', WITH('', '', '[variables]\nx = { defualt = "" }\n'), /line 5, variables.x.defualt: unknown key/],
    ['an unknown key of a placement', WITH('files = [\n "a",\n { source = "s", destnation = "/" }]\n'), /line 11, component.hello.files\[1\].destnation: unknown key/],
    ['an unknown key of a source', `${HEAD}${TRIGGER}[component.hello]\nsource = { url = "https://x", digst = "y" }\n`, /source.digst: unknown key; known here: url, digest/],
    ['an unknown limit', WITH('[component.hello.tool.whorl]\ncpu = 1\n'), /tool.whorl.cpu: unknown key; known here: cpu_ms/],
    ['a reuse that is neither yes nor how far', WITH('[component.hello.tool.whorl]\nreuse = 5\n'), /tool.whorl.reuse: expected true, false or \{ requests, concurrent, idle_ms \}/],
    ['a reuse of no request', WITH('[component.hello.tool.whorl]\nreuse = { requests = 0 }\n'), /reuse.requests: must be above 0/],
    ['an unknown part of reuse', WITH('[component.hello.tool.whorl]\nreuse = { idle = 5 }\n'), /reuse.idle: unknown key; known here: requests, concurrent, idle_ms/],
    ['a limit of zero', WITH('[component.hello.tool.whorl]\ncpu_ms = 0\n'), /cpu_ms: must be above 0/],
    ['a limit that is no integer', WITH('[component.hello.tool.whorl]\ncpu_ms = 1.5\n'), /cpu_ms: expected an integer/],
    ['a missing name', 'spin_manifest_version = 2\n[application]\n[trigger]\n', /line 2, application.name: is required/],
    ['a missing source', `${HEAD}${TRIGGER}[component.hello]\ndescription = ""\n`, /line 7, component.hello.source: is required/],
    ['a source of another type', `${HEAD}${TRIGGER}[component.hello]\nsource = 1\n`, /source: expected a path, \{ url, digest \} or/],
    ['a source without a digest', `${HEAD}${TRIGGER}[component.hello]\nsource = { url = "https://x" }\n`, /source.digest: is required/],
    ['a digest that is none', `${HEAD}${TRIGGER}[component.hello]\nsource = { url = "https://x", digest = "md5:1" }\n`, /expected sha256:<64 hex digits>/],
    ['a source with another scheme', `${HEAD}${TRIGGER}[component.hello]\nsource = { url = "file:///etc/passwd", digest = "sha256:${'a'.repeat(64)}" }\n`, /no http\(s\) URL/],
    ['a source with a password', `${HEAD}${TRIGGER}[component.hello]\nsource = { url = "https://u:p@x", digest = "sha256:${'a'.repeat(64)}" }\n`, /must not hold a user name/],
    ['a source above the root', `${HEAD}${TRIGGER}[component.hello]\nsource = "../x.wasm"\n`, /source: "..\/x.wasm": the path holds "\.\."/],
    ['an absolute source', `${HEAD}${TRIGGER}[component.hello]\nsource = "/x.wasm"\n`, /absolute/],
    ['a value of another type', WITH('description = 1\n'), /description: expected a string, got a number/],
    ['a date for a string', WITH('description = 1979-05-27\n'), /expected a string, got a date/],
    ['a trigger that is no array', `${HEAD}[trigger.http]\nroute = "/"\n`, /trigger.http: expected an array of tables/],
    ['no trigger', `${HEAD}[trigger]\n${HELLO}`, /no trigger/],
    ['a component id with _', `${HEAD}${TRIGGER.replace('hello', 'a_b')}[component.a_b]\nsource = "x"\n`, /component.a_b: "a_b": words must be separated with '-', not '_'/],
    ['a component id that starts with a digit', `${HEAD}${TRIGGER}${HELLO}[component.a-1b]\nsource = "x"\n`, /"a-1b": each word must start with a letter/],
    ['a variable name in kebab-case', WITH('', '', '[variables]\na-b = { default = "" }\n'), /variables.a-b: "a-b": words must be separated with '_'/],
    ['a variable with neither required nor default', WITH('', '', '[variables]\nx = { }\n'), /line 5, variables.x: must be `required` or have a `default`/],
    ['a variable with both', WITH('', '', '[variables]\nx = { required = true, default = "" }\n'), /not both/],
    ['a component variable in kebab-case', WITH('variables = { a-b = "" }\n'), /words must be separated with '_'/],
    ['a template over an unknown variable', WITH('variables = { a = "{{ nope }}" }\n', '', '[variables]\nx = { default = "" }\n'), /variables.a: unknown variable "nope": the app has x/],
    ['a template that is not closed', WITH('variables = { a = "{{ x" }\n'), /unmatched '\{\{'/],
    ['an unknown variable in a host', WITH('allowed_outbound_hosts = ["http://{{ nope }}"]\n'), /allowed_outbound_hosts\[0\]: unknown variable "nope": the app has no \[variables\]/],
    ['a host without scheme', WITH('allowed_outbound_hosts = ["example.com"]\n'), /line 9, component.hello.allowed_outbound_hosts\[0\]: "example.com": expected scheme/],
    ['a bad old host', WITH('allowed_http_hosts = ["ftp://x"]\n'), /allowed_http_hosts\[0\]: "ftp:\/\/x"/],
    ['a store label', WITH('key_value_stores = ["Not ok"]\n'), /key_value_stores\[0\]: "Not ok": expected kebab-case or snake_case/],
    ['an environment name', WITH('environment = { "a=b" = "c" }\n'), /must not be empty or hold "="/],
    ['a trigger to an unknown component', `${HEAD}${TRIGGER}`, /line 6, trigger.http\[0\].component: there is no component "hello"/],
    ['a component like a property of every object', `${HEAD}${TRIGGER.replace('hello', 'constructor')}`, /there is no component "constructor"/],
    ['a trigger without component and answer', `${HEAD}[[trigger.http]]\nroute = "/"\n`, /needs a component or a static_response/],
    ['a trigger with both', WITH('', 'static_response = {}\n'), /exactly one/],
    ['a trigger without a route', `${HEAD}[[trigger.http]]\ncomponent = "hello"\n${HELLO}`, /line 4, trigger.http\[0\].route: is required/],
    ['a route that is no route', `${HEAD}[[trigger.http]]\nroute = "/a/.../b"\ncomponent = "hello"\n${HELLO}`, /route: route "\/a\/\.\.\.\/b": a wildcard must be/],
    ['private = false', `${HEAD}[[trigger.http]]\nroute = { private = false }\ncomponent = "hello"\n${HELLO}`, /route.private: must be true/],
    ['an unknown executor', WITH('', 'executor = { type = "fastcgi" }\n'), /executor: the type must be "http" or "wagi", got "fastcgi"/],
    ['another entry point', WITH('', 'executor = { type = "wagi", entrypoint = "main" }\n'), /entrypoint: must be "_start"/],
    ['a status out of range', `${HEAD}[[trigger.http]]\nroute = "/"\nstatic_response = { status_code = 99 }\n`, /expected a status from 200 to 599/],
    ['a header name', `${HEAD}[[trigger.http]]\nroute = "/"\nstatic_response = { headers = { "a b" = "" } }\n`, /no name of a header/],
    ['a header value', `${HEAD}[[trigger.http]]\nroute = "/"\nstatic_response = { headers = { a = "x\\r\\ny" } }\n`, /characters that a header cannot hold/],
    ['a base path', WITH('', '', '[application.trigger.http]\nbase = "/api"\n'), /line 5, application.trigger.http.base: a base path/],
    ['a trigger with a name of the platform\'s own', `${HEAD}${TRIGGER}id = "whorl:shadow"\n${HELLO}`, /names that begin with whorl: are the platform's own/],
    ['two triggers with one id', `${HEAD}${TRIGGER}id = "x"\n[[trigger.http]]\nid = "x"\nroute = "/b"\ncomponent = "hello"\n${HELLO}`, /two triggers with the id "x"/],
    ['a whole number out of range', WITH('[component.hello.tool.whorl]\ncpu_ms = 9223372036854775807\n'), /too large an integer|expected an integer/],
  ])('refuses %s, naming key and line', (_, text, message) => {
    const error = refusal(text);
    expect(error.code).toBe('BUNDLE_MANIFEST_INVALID');
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^spin\.toml line \d+/);
  });

  it.each<[string, string, RegExp]>([
    ['triggers of another type', WITH('', '[[trigger.redis]]\nchannel = "x"\ncomponent = "hello"\n'), /line 7, trigger.redis: triggers of type "redis" are not supported yet/],
    ['an app of another trigger alone', `${HEAD}[[trigger.redis]]\nchannel = "x"\ncomponent = "hello"\n${HELLO}`, /line 4, trigger.redis/],
    ['settings of another trigger', WITH('', '', '[application.trigger.redis]\naddress = "redis://x"\n'), /application.trigger.redis/],
    ['dependencies from a package registry', WITH('[component.hello.dependencies]\n"a:b" = "1.0.0"\n'), /line 10, component.hello.dependencies."a:b": dependencies from a package registry are not supported/],
    ['trigger dependencies', WITH('', 'dependencies = { middleware = [] }\n'), /trigger.http\[0\].dependencies.middleware/],
    ['a source from a package registry', `${HEAD}${TRIGGER}[component.hello]\nsource = { package = "a:b", version = "1.0.0" }\n`, /line 8, component.hello.source: a source from a package registry \("a:b"\)/],
    ['insecure:allow-all', WITH('allowed_outbound_hosts = ["insecure:allow-all"]\n'), /line 9, component.hello.allowed_outbound_hosts\[0\]: "insecure:allow-all" is not supported here/],
  ])('refuses %s as not supported, naming key and line', (_, text, message) => {
    const error = refusal(text);
    expect(error.code).toBe('BUNDLE_UNSUPPORTED');
    expect(error.message).toMatch(message);
  });

  it('names everything that is wrong at once, in the order of the lines, and by path', () => {
    const error = refusal(WITH('sorce = 1\nfiles = 2\n', 'rout = 3\n'));
    expect(error.message).toBe('spin.toml line 7, trigger.http[0].rout: unknown key; known here: id, component, components, dependencies, static_response, route, executor; '
      + 'line 10, component.hello.sorce: unknown key; known here: source, description, variables, environment, files, exclude_files, allowed_http_hosts, allowed_outbound_hosts, key_value_stores, sqlite_databases, ai_models, targets, build, tool, dependencies_inherit_configuration, dependencies, profile; '
      + 'line 11, component.hello.files: expected an array, got a number');
    expect(Object.keys(error.fields!)).toEqual(['trigger.http[0].rout', 'component.hello.sorce', 'component.hello.files']);
  });

  it.each([
    ['a = \n', /line 1, column 5|line 2, column 1/],
    ['[a]\nb = 1\nb = 2\n', /line 3, column 1/],
    ['a = "open', /line 1/],
    ['__proto__ = 1', /__proto__/],
    ['a = { __proto__ = 1 }', /__proto__/],
    ['[a.__proto__.b]\nx = 1', /__proto__/],
    [`a = ${'['.repeat(100_000)}`, /line 1/],
  ])('refuses broken TOML with line and column: %#', (text, message) => {
    const error = refusal(text);
    expect(error.code).toBe('BUNDLE_MANIFEST_SYNTAX');
    expect(error.message).toMatch(message);
  });

  it('refuses a manifest out of all proportion', () => expect(refusal(`# ${'x'.repeat(2_000_000)}`).code).toBe('BUNDLE_TOO_LARGE'));

  it('warns of routes that are never reached, and of old keys', () => {
    const more = (route: string) => `[[trigger.http]]\nroute = "${route}"\ncomponent = "hello"\n`;
    const { warnings } = parseManifest(WITH('allowed_http_hosts = ["x.com"]\nallowed_outbound_hosts = ["http://gone.spin.internal"]\n', `executor = { type = "wagi", entrypoint = "_start" }\n${more('/...')}${more('/*')}${more('/.well-known/spin/x')}`));
    expect(warnings.map(({ path, message }) => `${path} ${message}`)).toEqual([
      expect.stringMatching(/^trigger.http\[0\].executor.entrypoint is deprecated/),
      expect.stringMatching(/^trigger.http\[3\].route the platform answers below/),
      expect.stringMatching(/^trigger.http\[1\].route trigger.http\[0\] has the same route "\/..."/),
      expect.stringMatching(/^trigger.http\[2\].route "\/\*" matches the same paths as the route "\/..."/),
      expect.stringMatching(/^component.hello.allowed_outbound_hosts\[0\] there is no component "gone"/),
      expect.stringMatching(/^component.hello.allowed_http_hosts is deprecated/),
    ]);
  });
});

describe('version 1', () => {
  const V1 = (component = '', top = '') => `spin_manifest_version = "1"\nname = "old"\nversion = "1.0.0"\ntrigger = { type = "http", base = "/" }\n${top}
[[component]]\nid = "Hello_World"\nsource = "a.wasm"\n${component}[component.trigger]\nroute = "/hello/..."\n`;

  it('is read as the version 2 that means the same', () => {
    const manifest = parseManifest(V1('config = { a = "{{ x }}" }\nallowed_http_hosts = ["x.com", "self"]\nfiles = ["a"]\nkey_value_stores = ["default"]\n', '[variables]\nx = { default = "1" }\n'));
    expect(manifest.application).toEqual({ name: 'old', version: '1.0.0', description: '', authors: [] });
    expect(manifest.triggers).toEqual([{ type: 'http', id: 'trigger-hello-world', route: '/hello/...', component: 'hello-world', executor: { type: 'http' } }]);
    expect(manifest.components[0]).toMatchObject({
      id: 'hello-world', variables: { a: '{{ x }}' }, keyValueStores: ['default'],
      allowedOutboundHosts: ['redis://*:*', 'mysql://*:*', 'postgres://*:*', 'http://x.com', 'https://x.com', 'http://self'],
    });
    expect(manifest.warnings[0]!.message).toMatch(/version 1 is deprecated/);
  });

  it('keeps outbound hosts that are given', () => expect(parseManifest(V1('allowed_outbound_hosts = []\n')).components[0]!.allowedOutboundHosts).toEqual([]));
  it('takes the old key of the version', () => expect(parseManifest(V1().replace('spin_manifest_version', 'spin_version')).application.name).toBe('old'));

  it.each<[string, string, string, RegExp]>([
    ['an unknown key', V1('variables = {}\n'), 'BUNDLE_MANIFEST_INVALID', /line 9, component\[0\].variables: unknown key; known here: id, source/],
    ['an unknown variable', V1('config = { a = "{{ x }}" }\n'), 'BUNDLE_MANIFEST_INVALID', /line 9, component\[0\].config.a: unknown variable "x"/],
    ['another trigger', V1().replace('"http"', '"redis"').replace('base', 'address'), 'BUNDLE_UNSUPPORTED', /trigger.type: triggers of type "redis"/],
    ['an unknown key of the trigger', `${V1()}method = "GET"\n`, 'BUNDLE_MANIFEST_INVALID', /component\[0\].trigger.method: unknown key/],
    ['two components that become one', `${V1()}[[component]]\nid = "hello-world"\nsource = "b"\ntrigger = { route = "/b" }\n`, 'BUNDLE_MANIFEST_INVALID', /two components with the id "hello-world"/],
    ['an id that is none', V1().replace('Hello_World', '1 2'), 'BUNDLE_MANIFEST_INVALID', /component\[0\].id: "1 2"/],
  ])('refuses %s', (_, text, code, message) => {
    const error = refusal(text);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });
});
