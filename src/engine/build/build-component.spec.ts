import { describe, expect, it } from '@jest/globals';
import { buildWat } from '../../../test/fixtures/build-wat.js';
import { buildComponent } from './build-component.js';

const OPTIONS = { memoryCapBytes: 128 * 1024 * 1024 };

describe(buildComponent.name, () => {
  it('makes a plan and modules of a component', async () => {
    const built = await buildComponent(await buildWat('loop'), OPTIONS);
    expect(built.handlers).toEqual(['wasi-http-0.2']);
    expect(built.componentized).toBe(false);
    expect(built.plan.exports).toEqual({ 'wasi:http/incoming-handler@0.2.3': { k: 'instance', exports: { handle: { k: 'func', lift: 0 } } } });
  });
});
