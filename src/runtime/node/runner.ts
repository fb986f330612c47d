import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WhorlError } from '#contract/errors.js';
import type { Digest } from '#contract/ids.js';
import { Log } from '#platform/log.js';
import { flushTelemetry } from '#runtime/capability/otel/otlp-exporter.js';
import { Journal } from '#runtime/meter/journal.js';
import { Meter } from '#runtime/meter/meter.js';
import { UsageTally } from '#runtime/meter/usage-tally.js';
import { Front } from '#runtime/trigger/front.js';
import { readWarmUpApp } from '#runtime/trigger/warm-up.js';
import { toBlobPath } from './blob-path.js';
import { Mending } from './mending.js';
import { RunnerMemory } from './runner-memory.js';
import { BEAT_MS, type CommandMessage, type ListenTarget, type RunnerCommand, type RunnerConfig, type RunnerLoad, type RunnerMessage } from './runner-protocol.js';

/** The process that runs guests: a front, driven by the supervisor's commands. It holds no secret of the node and decides nothing. */

const mending = new Mending();
/** Built with Whorl itself. */
const WARM_UP_DIR = fileURLToPath(new URL('../trigger/warm-up/', import.meta.url));
let front: Front | undefined;
let meter: Meter | undefined;
const tally = new UsageTally();
/** Somebody wants to know how it is doing. */
let isMeasured = false;
let log = new Log({ process: 'runner', pid: process.pid });

const say = (message: RunnerMessage, then?: () => void): void => {
  if (process.connected) process.send?.(message, undefined, {}, () => then?.());
  else then?.();
};

async function init(config: RunnerConfig): Promise<void> {
  log = new Log({ process: 'runner', lane: config.lane, pid: process.pid }, config.logLevel);
  isMeasured = config.metrics;
  meter = new Meter(new Journal({ dir: config.journalsDir, writer: config.writer, onError: (error) => log.error('the journal is not written', { error }) }), tally);
  front = new Front({
    lane: config.lane,
    node: config.node,
    appDomain: config.appDomain,
    publicPort: config.publicPort,
    stateDir: config.stateDir,
    limits: config.limits,
    allowPrivateHosts: config.allowPrivateHosts,
    settings: config.settings,
    verifyResetEvery: config.verifyResetEvery,
    meter,
    log,
    blobPath: (digest: Digest) => join(config.blobsDir, toBlobPath(digest)),
    onHeavy: (app, channel) => say({ type: 'heavy', app: { app, channel } }),
    gatewayPath: config.gatewayPath,
    loaded: config.loaded,
    memory: new RunnerMemory(),
    mend: ({ app, channel }, stored) => mending.ask((call) => say({ type: 'mend', call, app: { app, channel }, stored })),
    openPreview: (asked) => mending.ask((call) => say({ type: 'preview', call, asked })),
    onUnloadable: (app, channel, stored, { code, message }) => say({ type: 'unloadable', app: { app, channel }, stored, failure: { code, message } }),
  });
  // The heavy lane's requests come by the shared one's runners; 20 ms more once are nothing to them.
  if (config.lane === 'shared') await warmUp(front);
}

/** A runner that is cold serves all the same. */
async function warmUp(cold: Front): Promise<void> {
  try {
    await cold.warmUp(await readWarmUpApp(WARM_UP_DIR));
  } catch (error) {
    log.warn('the code of the runner is not warm', { error });
  }
}

/** The port, where there is one. */
function listen(server: Server, target: ListenTarget): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(target, () => {
      server.off('error', reject);
      const address = server.address() as AddressInfo | string | null;
      resolve(typeof address === 'object' ? address?.port : undefined);
    });
  });
}

/** What `reply` answers as `value`. */
async function run(command: RunnerCommand): Promise<number | undefined> {
  if (command.type === 'init') return void (await init(command.config));
  if (!front) throw new Error(`${command.type} before init`);
  switch (command.type) {
    case 'know': return void front.know(command.channels);
    case 'prepare': return void (await front.prepare(command.app, command.version));
    case 'serve': return void (await front.serve(command.app));
    case 'settled': return Number(await front.settled(command.app.app, command.app.channel, command.timeoutMs));
    case 'release': return void front.release(command.app.app, command.app.channel, command.version);
    case 'remove': return void front.remove(command.app.app, command.app.channel);
    case 'heavy': return void front.setHeavy(command.apps, command.socketPath);
    case 'mended': return mending.settle(command.call, command.failure);
    case 'listen':
      if (command.relayPath !== null) await listen(front.relayServer, { path: command.relayPath });
      return listen(front.server, command.target);
    case 'leave': return void (front.draining = true);
    case 'drain':
      await front.drain(command.timeoutMs);
      beat();
      await flushTelemetry();
      meter?.close();
      return undefined;
  }
}

function toFailure(error: unknown, { type }: RunnerCommand) {
  if (error instanceof WhorlError) return { code: error.code, message: error.message };
  const { code, message } = error as NodeJS.ErrnoException;
  if (type === 'listen') return { code: code === 'EADDRINUSE' ? 'NODE_PORT_IN_USE' as const : 'NODE_LISTEN_FAILED' as const, message };
  log.error(`${type} failed`, { error });
  return { code: 'NODE_RUNNER_FAILED' as const, message: `${type}: ${message}` };
}

process.on('message', ({ id, command }: CommandMessage) => {
  const ending = command.type === 'drain';
  run(command).then(
    (value) => say({ type: 'reply', id, ...(value !== undefined && { value }) }, () => ending && process.exit(0)),
    (error: unknown) => say({ type: 'reply', id, failure: toFailure(error, command) }, () => ending && process.exit(1)),
  );
});
// Whoever started the node stops it by the supervisor, which drains its runners; a Ctrl-C reaches every process of the terminal.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => {
  meter?.close();
  process.exit(0);
});
process.on('uncaughtException', (error) => {
  log.error('the runner fails', { error });
  meter?.flush();
  process.exit(1);
});

function beat(): void {
  if (!front) return say({ type: 'beat' });
  const filled = <K extends string, T>(key: K, values: T[]) => (values.length > 0 ? { [key]: values } as Record<K, T[]> : {});
  say({
    type: 'beat', letGo: front.letGo.counts(), ...(isMeasured && { load: measure(front) }),
    ...filled('usage', tally.take()), ...filled('requests', front.requests()), ...filled('samples', front.takeSamples()),
  });
}

function measure(measured: Front): RunnerLoad {
  const { user, system } = process.cpuUsage();
  return { ...measured.load(), residentBytes: process.memoryUsage.rss(), cpuSeconds: (user + system) / 1e6 };
}
setInterval(beat, BEAT_MS);
say({ type: 'up' });
