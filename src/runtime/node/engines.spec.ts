import { describe, expect, it } from '@jest/globals';
import type { BuiltComponent } from '#contract/artifact.js';
import { ENGINE_VERSION } from '#engine/plan.js';
import { artifactOf } from '../../../test/fixtures/assignment.js';
import { checkEngine, isRunnable } from './engines.js';

const builtFor = (...engines: string[]) => ({ ...artifactOf(1), builds: Object.fromEntries(engines.map((engine, i) => [`c${i}`, { engine } as BuiltComponent])) });

describe('engines', () => {
  it('runs what is built for its engine, and an app without components', () => {
    expect(isRunnable(builtFor(ENGINE_VERSION))).toBe(true);
    expect(isRunnable(builtFor())).toBe(true);
    expect(() => checkEngine(builtFor(ENGINE_VERSION))).not.toThrow();
  });

  it('refuses by name what is built for another, and says which', () => {
    expect(() => checkEngine(builtFor(ENGINE_VERSION, '0'))).toThrow(expect.objectContaining({ code: 'NODE_ENGINE_UNSUPPORTED', message: expect.stringContaining(`engine ${ENGINE_VERSION}, 0`) }));
  });
});
