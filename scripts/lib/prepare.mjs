// From a fresh clone to everything built, doing only what is not done yet.
import { at, ROOT } from './paths.mjs';
import { buildPlatform } from './build-platform.mjs';
import { installPackage } from './install-package.mjs';
import { mustRunNode, seconds } from './run.mjs';

/** Looking whether an example is up to date takes less. */
const SLOW_MS = 1_000;

/**
 * Installs, compiles the platform and builds the `examples` that are named, with one line for each thing that takes time.
 * An example that does not build is no reason to stop: it is said, and returned in `failed`.
 */
export async function prepare({ examples = [], say = (line) => console.log(line) } = {}) {
  const from = performance.now();
  let worked = await installPackage(ROOT, { say: () => say('installing dependencies (about a minute with an empty npm cache)') });
  const failed = [];
  const [built] = await Promise.all([
    buildPlatform({ say }),
    ...examples.map(async (name) => {
      const slow = setTimeout(() => say(`building examples/${name}`), SLOW_MS);
      try {
        const output = await mustRunNode(`building examples/${name}`, [at('examples', name, 'build.mjs')]);
        worked ||= !output.includes('up to date');
      } catch (error) {
        say(error.message);
        failed.push(name);
      } finally {
        clearTimeout(slow);
      }
    }),
  ]);
  if (built || worked) say(`built in ${seconds(from)}`);
  return { failed };
}
