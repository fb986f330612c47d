import { availableParallelism } from 'node:os';
import { NodeConfig, readConfig } from '#platform/config.js';
import { Log } from '#platform/log.js';
import { Agent } from '#runtime/node/agent.js';
import { ProviderEnvironment } from '#runtime/node/provider-environment.js';
import { runnerEnvironment } from '#runtime/node/runner-environment.js';

/** The node's process: the agent. Guests run in processes of its own making. */

const MIN_RUNNERS = 2;

/** One line for whoever started it: what is wrong is theirs to correct. */
function fail(error: unknown): never {
  process.stderr.write(`${(error as { code?: string }).code ?? 'NODE_CONFIG_INVALID'}: ${(error as Error).message.replaceAll(/\n\s*/g, ' ')}\n`);
  process.exit(1);
}

const config = ((): NodeConfig => {
  try {
    return readConfig(NodeConfig);
  } catch (error) {
    return fail(error);
  }
})();
const log = new Log({ process: 'node' }, config.WHORL_LOG_LEVEL);

const starting = Agent.start({
  config,
  runners: config.WHORL_RUNNERS ?? Math.max(MIN_RUNNERS, availableParallelism()),
  environment: runnerEnvironment(process.env),
  providerEnvironment: new ProviderEnvironment(process.env),
  log,
});

let closing = false;
const close = (reason: string): void => {
  if (closing) return;
  closing = true;
  log.info('shutting down', { reason });
  starting
    .then(({ agent }) => agent.drain())
    .then(
      () => process.exit(0),
      (error: unknown) => {
        log.error('the shutdown failed', { error });
        process.exit(1);
      },
    );
};
process.on('SIGTERM', () => close('SIGTERM'));
process.on('SIGINT', () => close('SIGINT'));
// Forked by a parent that is gone: nobody would ever stop this process.
process.on('disconnect', () => close('the parent process is gone'));

try {
  const { port } = await starting;
  log.info('listening', { address: config.WHORL_LISTEN, port });
  process.send?.({ type: 'listening', port });
} catch (error) {
  fail(error);
}
