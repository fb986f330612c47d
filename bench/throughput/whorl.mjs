// A whole platform with so many runners, and the apps that are measured deployed on it.
import { bundleOf } from '../lib/bundles.mjs';
import { COMPONENTS } from '../lib/components.mjs';
import { startPlatform } from '../lib/platform.mjs';
import { processTree } from './processes.mjs';

/**
 * Starts a platform and deploys each of `components` as an app of its name, and those `reused` once more as `<name>-reused`. In the answer
 * `apps` has a server for each, all of one process tree: the node's supervisor and its runners.
 */
export async function startWhorl(runners, components, reused = []) {
  const platform = await startPlatform({ env: { WHORL_RUNNERS: `${runners}` } });
  const node = () => processTree(platform.child.pid, /bin\/node\.js/);
  const apps = {};
  const deploy = async (name, component, settings) => {
    const app = `bench-${name}`;
    await platform.push(app, await bundleOf(component, { settings }));
    apps[name] = { port: platform.httpPort, host: `${app}.localhost`, pids: node };
  };
  try {
    for (const name of components) await deploy(name, await COMPONENTS[name](), '');
    for (const name of reused) await deploy(`${name}-reused`, await COMPONENTS[name](), '[component.bench.tool.whorl]\nreuse = true\n');
  } catch (error) {
    await platform.stop();
    throw error;
  }
  return { apps, stop: () => platform.stop() };
}
