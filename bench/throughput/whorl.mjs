// A whole platform with so many runners, and the apps that are measured deployed on it.
import { bundleOf } from '../lib/bundles.mjs';
import { COMPONENTS } from '../lib/components.mjs';
import { startPlatform } from '../lib/platform.mjs';
import { processTree } from './processes.mjs';

/** Components that are also measured with an instance reused. Not js: a guest of its toolchain answers one request for an instance. */
const REUSED = ['tiny', 'json', 'hello-03'];

/**
 * Starts a platform and deploys every component as an app of its name; those reused as `<name>-reused`. In the answer `apps` has a
 * server for each that was accepted, all of one process tree: the node's supervisor and its runners.
 */
export async function startWhorl(runners) {
  const platform = await startPlatform({ env: { WHORL_RUNNERS: `${runners}` } });
  const node = () => processTree(platform.child.pid, /bin\/node\.js/);
  const apps = {};
  const deploy = async (name, component, settings) => {
    const app = `bench-${name}`;
    await platform.push(app, await bundleOf(component, { settings }));
    apps[name] = { port: platform.httpPort, host: `${app}.localhost`, pids: node, stop: async () => {} };
  };
  try {
    for (const [name, get] of Object.entries(COMPONENTS)) await deploy(name, await get(), '');
    for (const name of REUSED) {
      const settings = '[component.bench.tool.whorl]\nreuse = true\n';
      await deploy(`${name}-reused`, await COMPONENTS[name](), settings).catch((error) => {
        if (!String(error.message).includes(': 4')) throw error;
      });
    }
  } catch (error) {
    await platform.stop();
    throw error;
  }
  return { apps, stop: () => platform.stop() };
}
