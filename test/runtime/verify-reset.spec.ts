import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Plan } from '#engine/plan.js';
import { buildComponent } from '#engine/build/build-component.js';
import { decodeComponent } from '#engine/build/decode/component.js';
import { linkComponent } from '#engine/build/link/linker.js';
import { scanCode } from '#engine/build/rewrite/code-scan.js';
import { rewriteModule } from '#engine/build/rewrite/rewriter.js';
import { buildWat } from '../fixtures/build-wat.js';
import { artifactOf, ask, Blobs, httpTrigger, LIMITS, STAY_LOADED, TestFront } from './front-fixture.js';

/** Each request adds one to a byte that the next must not find, and traps when it finds more than that. */
const COUNTS = (wat: string): string => wat.replace('(call $misbehave', `(i32.store8 (i32.const 60000) (i32.add (i32.load8_u (i32.const 60000)) (i32.const 1)))
    (call $misbehave`);
const EVERY = 3;

describe('the check mode of resets', () => {
  const blobs = new Blobs();
  let front: TestFront;
  afterEach(() => front.close());

  const serve = async (faulty: boolean): Promise<void> => {
    const wasm = await buildWat('loop', COUNTS);
    const build = await blobs.build(wasm);
    if (faulty) {
      // The code marks nothing, and the plan says that it does.
      const { plan } = await buildComponent(wasm, { memoryCapBytes: LIMITS.memoryBytes });
      const { modules } = linkComponent(decodeComponent(wasm));
      const withMemory = modules.find(({ ownMemories }) => ownMemories.length > 0)!;
      const { bytes } = rewriteModule(withMemory, { memoryCapPages: LIMITS.memoryBytes / 65536, cards: false }, scanCode(withMemory));
      const at = plan.modules.findIndex(({ memory }) => memory !== null);
      build.modules[at] = blobs.put(bytes);
      plan.modules[at]!.digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
      build.plan = blobs.put(Buffer.from(JSON.stringify(plan satisfies Plan)));
    }
    front = await new TestFront(blobs, 'shared', LIMITS, STAY_LOADED, EVERY).listen();
    await front.deploy('counts', artifactOf(1, { main: build }, [httpTrigger('main', '/...', { component: 'main' })]));
  };
  const request = () => ask(front.port, 'counts.localhost');

  it('names a difference in the logs of app and node, and goes on with new instances', async () => {
    await serve(true);
    for (let i = 0; i < 10; i++) expect(await request()).toMatchObject({ status: 200 });
    expect(front.logs().filter(({ stream }) => stream === 'platform').map(({ line }) => line)).toEqual([
      'COMPONENT_RESET_DIFFERS: the reset in place left byte 60000 of the memory of core instance 0 changed; the program gets new instances from now on',
    ]);
    expect(front.faults.map((line) => JSON.parse(line) as object)).toEqual([
      expect.objectContaining({ level: 'error', code: 'COMPONENT_RESET_DIFFERS', app: 'counts', version: 1, component: 'main' }),
    ]);
  });

  it('is silent where all is well', async () => {
    await serve(false);
    for (let i = 0; i < 10; i++) expect(await request()).toMatchObject({ status: 200 });
    expect([front.logs(), front.faults]).toEqual([[], []]);
  });
});
