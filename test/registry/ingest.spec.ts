import { createHash, randomBytes } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { parse } from '@bytecodealliance/jco';
import { VersionArtifact } from '#contract/artifact.js';
import { type Plan, resetModeOf } from '#engine/plan.js';
import { packBundle } from '#contract/bundle/pack.js';
import { RegistryService } from '#registry/service/registry.service.js';
import { buildWat } from '../fixtures/build-wat.js';
import { rawTarGz } from '../fixtures/raw-tar.js';
import { type RegistryUnderTest, bundleOf, inChunks, manifestOf, openRegistry } from './registry-fixture.js';

const never = new AbortController().signal;
const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

let wasm: Uint8Array;
beforeAll(async () => {
  wasm = await buildWat('loop');
});

describe(RegistryService.name, () => {
  let under: RegistryUnderTest;
  beforeAll(async () => {
    under = await openRegistry();
  });
  afterEach(async () => expect(await under.leftovers()).toEqual([]));
  afterAll(() => under.close());

  const ingest = (bundle: Uint8Array, signal = never) => under.registry.ingest(inChunks(bundle), signal);
  const refusal = async (bundle: Uint8Array | Promise<Uint8Array>) => {
    const before = await under.blobs();
    const error = await ingest(await bundle).then(() => undefined, (reason: unknown) => reason as { code: string; message: string; fields: unknown });
    if (!error) throw new Error('it was taken');
    expect((await under.blobs()).sort()).toEqual(before.sort());
    return error;
  };

  it('keeps everything a node needs, by digest', async () => {
    const page = randomBytes(1000);
    const bundle = await bundleOf(wasm, { manifest: manifestOf('source = "main.wasm"\nfiles = ["www"]'), files: [{ path: 'www/page', content: page }] });
    const ingested = await ingest(bundle);
    expect(ingested).toMatchObject({ digest: sha256(bundle), bytes: bundle.length, manifest: expect.stringContaining('spin_manifest_version'), warnings: [] });
    const build = ingested.builds['main']!;
    expect(build).toMatchObject({ component: sha256(wasm), handlers: ['wasi-http-0.2'], componentized: false });
    const component = ingested.app.components[0]!;
    expect(component.files).toEqual([{ path: '/www/page', digest: sha256(page), bytes: 1000 }]);
    for (const digest of [component.source, component.files[0]!.digest, build.plan, ...build.modules]) {
      expect(sha256(await buffer((await under.storage.get(digest)).content))).toBe(digest);
    }
    VersionArtifact.parse({ version: 1, digest: ingested.digest, app: ingested.app, builds: ingested.builds });
  });

  it('says what it found out: how instances are reset, their memory, the time it took', async () => {
    const { builds } = await ingest(await bundleOf(wasm));
    expect(builds['main']!.facts).toEqual({
      reset: { mode: 'in-place', cards: true }, memory: { initialBytes: expect.any(Number), maximumBytes: expect.any(Number) }, buildMs: expect.any(Number),
    });
    const plan = JSON.parse((await buffer((await under.storage.get(builds['main']!.plan)).content)).toString()) as Plan;
    expect(builds['main']!.facts!.reset).toEqual(resetModeOf(plan));
    expect(builds['main']!.facts!.memory.initialBytes).toBeGreaterThan(0);
  });

  it('builds an app again from what it keeps, when nothing of the builds is there', async () => {
    const { app, builds } = await ingest(await bundleOf(wasm));
    const record = `builds/${under.registry.engine}/${builds['main']!.component.slice('sha256:'.length)}`;
    await under.storage.deleteRecord(record);
    const again = await under.registry.rebuild(app, new AbortController().signal);
    expect(again['main']!.plan).toBe(builds['main']!.plan);
    expect(await under.storage.findRecord(record)).toBeDefined();
    expect(await under.leftovers()).toEqual([]);
  });

  it('builds a component once, whoever pushes it', async () => {
    const first = await ingest(await bundleOf(wasm));
    const second = await ingest(await bundleOf(wasm, { manifest: manifestOf('source = "main.wasm"\ndescription = "changed"') }));
    expect(second.builds).toEqual(first.builds);
    expect(second.digest).not.toBe(first.digest);
  });

  it('takes the same new bundle from many at once', async () => {
    const bundle = await bundleOf(await buildWat('loop', (wat) => wat.replace('(module', '(module (@custom "c" "many")')));
    const all = await Promise.all(Array.from({ length: 6 }, () => ingest(bundle)));
    for (const each of all) expect(each).toEqual(all[0]);
  });

  it('makes a component of a core module, to be called by WAGI', async () => {
    const program = await parse('(module (memory (export "memory") 1) (func (export "_start")))');
    const manifest = manifestOf('source = "main.wasm"', 'route = "/..."\ncomponent = "main"\nexecutor = { type = "wagi" }');
    const { builds } = await ingest(await bundleOf(program, { manifest }));
    expect(builds['main']).toMatchObject({ componentized: true, handlers: ['command'] });
  });

  it('takes an app that only answers by itself', async () => {
    const { app, builds } = await ingest(await packBundle([{ path: 'spin.toml', content: Buffer.from('spin_manifest_version = 2\n[application]\nname = "x"\n[[trigger.http]]\nroute = "/"\nstatic_response = { body = "hi" }\n') }]));
    expect(app.components).toEqual([]);
    expect(builds).toEqual({});
  });

  it('hands warnings on with their lines', async () => {
    const { warnings } = await ingest(await bundleOf(wasm, { manifest: manifestOf('source = "main.wasm"\nallowed_http_hosts = ["x.com"]') }));
    expect(warnings).toEqual(['spin.toml line 9, component.main.allowed_http_hosts: is deprecated: use allowed_outbound_hosts']);
  });

  it.each<[string, () => Promise<Uint8Array>, string, RegExp]>([
    ['what is no wasm', async () => bundleOf(randomBytes(100)), 'REGISTRY_COMPONENT_INVALID', /component "main": neither a WebAssembly component/],
    ['a component cut short', async () => bundleOf(wasm.subarray(0, wasm.length - 20)), 'REGISTRY_COMPONENT_INVALID', /component "main": /],
    ['an import that nothing answers', async () => bundleOf(await parse('(component (import "acme:teapot/pour@1.0.0" (instance (export "pour" (func)))))')), 'REGISTRY_IMPORT_UNKNOWN', /component "main" imports "acme:teapot\/pour@1.0.0"/],
    ['no handler', async () => bundleOf(await parse('(component)')), 'REGISTRY_HANDLER_MISSING', /component "main", which trigger "main-http-trigger" calls, has no HTTP handler: it exports nothing/],
    ['a program for HTTP', async () => bundleOf(await parse('(module (memory (export "memory") 1) (func (export "_start")))')), 'REGISTRY_HANDLER_MISSING', /executor = \{ type = "wagi" \}/],
    ['a handler for WAGI', async () => bundleOf(wasm, { manifest: manifestOf('source = "main.wasm"', 'route = "/"\ncomponent = "main"\nexecutor = { type = "wagi" }') }), 'REGISTRY_HANDLER_MISSING', /is no program/],
    ['more memory than its own limit', async () => bundleOf(await buildWat('loop', (wat) => wat.replace(/\(memory \(export "memory"\) \d+/, '(memory (export "memory") 20')), { manifest: manifestOf('source = "main.wasm"\n[component.main.tool.whorl]\nmemory_bytes = 65536') }), 'REGISTRY_COMPONENT_TOO_LARGE', /component "main" needs \d+ bytes of memory from the start, its memory_bytes is 65536/],
    ['a manifest that is no TOML', async () => bundleOf(wasm, { manifest: 'a = ' }), 'BUNDLE_MANIFEST_SYNTAX', /line 1/],
    ['a manifest that is no UTF-8', async () => packBundle([{ path: 'spin.toml', content: Buffer.from([0xff, 0xfe]) }]), 'BUNDLE_MANIFEST_SYNTAX', /not UTF-8/],
    ['a manifest out of all proportion', async () => packBundle([{ path: 'spin.toml', content: randomBytes(2_000_000) }]), 'BUNDLE_TOO_LARGE', /spin.toml has 2000000 bytes/],
    ['a missing file', async () => bundleOf(wasm, { manifest: manifestOf('source = "other.wasm"') }), 'BUNDLE_FILE_MISSING', /line 8, component.main.source: there is no file "other.wasm"/],
    ['a bomb', async () => rawTarGz([{ name: 'spin.toml', content: 'x' }, { name: 'zeros', content: Buffer.alloc(64 * 1024 * 1024) }]), 'BUNDLE_TOO_LARGE', /bomb/],
    ['a link', async () => rawTarGz([{ name: 'spin.toml', type: '2', link: '/etc/passwd' }]), 'BUNDLE_ENTRY_REFUSED', /entry "spin.toml": it is a symbolic link/],
  ])('refuses %s and keeps nothing of it', async (_, make, code, message) => {
    const error = await refusal(make());
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it('refuses an upload that ends in the middle, and one that fails', async () => {
    const bundle = await bundleOf(wasm);
    expect((await refusal(bundle.subarray(0, bundle.length >> 1))).code).toBe('BUNDLE_TRUNCATED');
    await expect(under.registry.ingest((async function* () {
      yield bundle.subarray(0, 100);
      throw new Error('reset');
    })(), never)).rejects.toMatchObject({ code: 'BUNDLE_TRUNCATED' });
  });

  it('stops when the client goes', async () => {
    const gone = new AbortController();
    const slow = (async function* () {
      yield (await bundleOf(wasm)).subarray(0, 100);
      gone.abort(new Error('gone'));
      await new Promise((resolve) => setTimeout(resolve, 50));
      yield Buffer.alloc(10);
    })();
    await expect(under.registry.ingest(slow, gone.signal)).rejects.toThrow('gone');
  });
});

describe('limits of building', () => {
  let under: RegistryUnderTest;
  afterEach(() => under.close());

  it('says that a build takes too long, and builds the next one', async () => {
    under = await openRegistry({ pool: { timeoutMs: 1 } });
    await expect(under.registry.ingest(inChunks(await bundleOf(wasm)), never)).rejects.toMatchObject({ code: 'REGISTRY_BUILD_EXCEEDED', message: expect.stringMatching(/component "main": building it takes more than 1 ms/) });
    expect(await under.blobs()).toEqual([]);
    expect(await under.leftovers()).toEqual([]);
  });

  it('says that a build takes too much memory', async () => {
    under = await openRegistry({ pool: { memoryBytes: 10 * 1024 * 1024 } });
    await expect(under.registry.ingest(inChunks(await bundleOf(wasm)), never)).rejects.toMatchObject({ code: 'REGISTRY_BUILD_EXCEEDED', message: expect.stringMatching(/bytes of memory/) });
    expect(await under.leftovers()).toEqual([]);
  });

  it('answers when the worker is killed in the middle, and is well again', async () => {
    under = await openRegistry({ pool: { workers: 1 } });
    const bundle = await bundleOf(wasm);
    const kill = setInterval(() => under.pool.pids().forEach((pid) => process.kill(pid, 'SIGKILL')), 1).unref();
    await expect(under.registry.ingest(inChunks(bundle), never)).rejects.toMatchObject({ code: 'REGISTRY_BUILD_FAILED', message: expect.stringMatching(/component "main": the build worker ended \(SIGKILL\)/) });
    clearInterval(kill);
    expect(await under.leftovers()).toEqual([]);
    expect((await under.registry.ingest(inChunks(bundle), never)).builds['main']).toBeDefined();
  });

  it('kills the worker when the push is aborted', async () => {
    under = await openRegistry();
    const gone = new AbortController();
    const push = under.registry.ingest(inChunks(await bundleOf(wasm)), gone.signal);
    const seen: number[] = [];
    while (seen.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      seen.push(...under.pool.pids());
    }
    gone.abort(new Error('gone'));
    await expect(push).rejects.toThrow('gone');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(() => process.kill(seen[0]!, 0)).toThrow();
    expect(await under.leftovers()).toEqual([]);
  });

  it('keeps builds within the number of workers', async () => {
    under = await openRegistry({ pool: { workers: 2 } });
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, under.pool.pids().length)), 1).unref();
    const variants = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((mark) => buildWat('loop', (wat) => wat.replace('(module', `(module (@custom "c" "${mark}")`))));
    await Promise.all(variants.map(async (variant) => under.registry.ingest(inChunks(await bundleOf(variant)), never)));
    clearInterval(watch);
    expect(most).toBeLessThanOrEqual(2);
  });
});

describe('a store that fails', () => {
  let under: RegistryUnderTest;
  beforeEach(async () => {
    under = await openRegistry();
  });
  afterEach(() => under.close());

  it('is told as such, and a retry finishes', async () => {
    const store = `${under.root}/store`;
    const bundle = await bundleOf(wasm);
    await rename(store, `${store}-away`);
    await expect(under.registry.ingest(inChunks(bundle), never)).rejects.toMatchObject({ code: 'REGISTRY_STORAGE_UNAVAILABLE' });
    await expect(under.registry.check()).rejects.toMatchObject({ code: 'REGISTRY_STORAGE_UNAVAILABLE' });
    await rename(`${store}-away`, store);
    await under.registry.check();
    expect((await under.registry.ingest(inChunks(bundle), never)).builds['main']).toBeDefined();
  });
});
