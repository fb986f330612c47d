import 'reflect-metadata';
import { type ControlPlane, startControlPlane } from '#api/control-plane.js';
import { ControlConfig, readConfig } from '#platform/config.js';
import { Log } from '#platform/log.js';
import { RegistryModule } from '#registry/registry.module.js';

/** The control plane's process: API and registry. */

let log = new Log({ process: 'control-plane' });

try {
  const config = readConfig(ControlConfig);
  log = new Log({ process: 'control-plane' }, config.WHORL_LOG_LEVEL);
  const controlPlane = await startControlPlane({ config, log, registry: RegistryModule.with(config) });
  endWithSignals(controlPlane);
  log.info('listening', { address: config.WHORL_LISTEN, port: controlPlane.port, nodesPort: controlPlane.nodesPort });
  process.send?.({ type: 'listening', port: controlPlane.port, nodesPort: controlPlane.nodesPort });
} catch (error) {
  log.error(`cannot start: ${(error as Error).message}`, { error });
  process.exit(1);
}

function endWithSignals(controlPlane: ControlPlane): void {
  let closing = false;
  const close = (reason: string): void => {
    if (closing) return;
    closing = true;
    log.info('shutting down', { reason });
    controlPlane.close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error(`the shutdown failed: ${(error as Error).message}`, { error });
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', () => close('SIGTERM'));
  process.on('SIGINT', () => close('SIGINT'));
  // Forked by a parent that is gone: nobody would ever stop this process.
  process.on('disconnect', () => close('the parent process is gone'));
  if (process.connected === false) close('the parent process is gone');
}
