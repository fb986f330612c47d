import { rmSync } from 'node:fs';
import { Log } from '#platform/log.js';
import { Gateway } from './gateway.js';
import type { FromGateway, ToGateway } from './gateway-protocol.js';

/** The gateway's process: holds the node's key, and runs no guest's code. Started and watched by the agent, whose end it does not outlive. */

const COUNTS_MS = 1_000;
const LAST_ANSWERS_MS = 2_000;

let gateway: Gateway | undefined;
let log = new Log({ process: 'gateway', pid: process.pid });

const say = (message: FromGateway): void => {
  if (process.connected) process.send?.(message);
};

async function run(message: ToGateway): Promise<void> {
  if (message.type === 'init') {
    const { config } = message;
    log = new Log({ process: 'gateway', pid: process.pid }, config.logLevel);
    // Of one that was killed.
    rmSync(config.gatewayPath, { force: true });
    gateway = new Gateway(config, { refresh: (call) => say({ type: 'refresh', call }), wanted: (wanted) => say({ type: 'wanted', wanted }) }, log);
    say({ type: 'up', revision: await gateway.start() });
    return;
  }
  if (!gateway) throw new Error(`${message.type} before init`);
  switch (message.type) {
    case 'credentials': return say({ type: 'open', port: await gateway.setCredentials(message.credentials) });
    case 'routes': return gateway.take(message.changes);
    case 'refreshed': return gateway.refreshed(message.call);
    case 'drain':
      // Meanwhile the table goes on changing.
      return void gateway.drain(message.timeoutMs).finally(() => say({ type: 'drained' }));
  }
}

// One after the other: what comes after `init` needs what it makes.
let running: Promise<void> = Promise.resolve();
process.on('message', (message: ToGateway) => {
  const next = (): Promise<void> => run(message);
  running = running.then(next).catch((error: unknown) => {
    log.error(`${message.type} failed`, { error });
    say({ type: 'failed', what: message.type, message: (error as Error).message });
  });
});
// Whoever started the node stops it by the agent; a Ctrl-C reaches every process of the terminal.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => {
  void (gateway?.close(LAST_ANSWERS_MS) ?? Promise.resolve()).finally(() => process.exit(0));
});
process.on('uncaughtException', (error) => {
  log.error('the gateway fails', { error });
  process.exit(1);
});

setInterval(() => {
  if (gateway) say({ type: 'counts', counts: gateway.counts, gauges: gateway.gauges });
}, COUNTS_MS);
