import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { RouteChanges, WantedChannel } from '#contract/routes.js';
import type { Log } from '#platform/log.js';
import type { FromGateway, GatewayConfig, GatewayCounts, GatewayGauges, ToGateway } from '#runtime/gateway/gateway-protocol.js';
import { Backoff } from './backoff.js';
import type { NodeIdentity } from './identity/node-identity.js';
import { RoutePoller } from './route-poller.js';

const RESPAWN_MIN_MS = 50;
const RESPAWN_MAX_MS = 5_000;
/** One that lived this long is not in a crash loop. */
const HEALTHY_AFTER_MS = 30_000;
const HEAP_MB = 1_024;
const LAST_ANSWERS_MS = 2_500;

export interface GatewayProcessOptions {
  config: GatewayConfig;
  identity: NodeIdentity;
  /** As for `fork`; undefined takes a variable of this process's out. */
  environment: Record<string, string | undefined>;
  routes(after: string | undefined, waitS: number, signal: AbortSignal): Promise<RouteChanges>;
  wanted(channel: WantedChannel): Promise<void>;
  /** It answers other nodes on this port, or (null) does not any more. */
  onPort(port: number | null): void;
  log: Log;
}

/** The gateway's process, seen from the agent: started, given who this node is and what the control plane says, and started again when it ends. */
export class GatewayProcess {
  counts: GatewayCounts | undefined;
  gauges: GatewayGauges | undefined;
  private child: ChildProcess | undefined;
  private readonly poller: RoutePoller;
  private drained = Promise.withResolvers<void>();
  private isStopped = false;

  constructor(private readonly options: GatewayProcessOptions) {
    this.poller = new RoutePoller({
      routes: options.routes,
      take: (changes) => this.send({ type: 'routes', changes }),
      answered: (call) => this.send({ type: 'refreshed', call }),
      log: options.log,
    });
    options.identity.onChange((credentials) => this.send({ type: 'credentials', credentials }));
  }

  /** Keeps it running until the signal aborts, or `stop`. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.poller.run(signal), this.keep()]);
  }

  /** Has it take nothing more from other nodes, and end what is under way for them. */
  async drain(timeoutMs: number): Promise<void> {
    if (!this.child) return;
    this.drained = Promise.withResolvers();
    this.send({ type: 'drain', timeoutMs });
    await Promise.race([this.drained.promise, sleep(timeoutMs, undefined, { ref: false })]);
  }

  /** Ends it, after the answers that are under way. */
  async stop(): Promise<void> {
    this.isStopped = true;
    const { child } = this;
    if (!child) return;
    const ended = once(child, 'exit');
    child.disconnect();
    const late = sleep(LAST_ANSWERS_MS, 'late', { ref: false });
    if ((await Promise.race([ended, late])) === 'late') child.kill('SIGKILL');
  }

  private async keep(): Promise<void> {
    const backoff = new Backoff(RESPAWN_MIN_MS, RESPAWN_MAX_MS);
    while (!this.isStopped) {
      const bornMs = performance.now();
      const child = this.start();
      const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
      this.child = undefined;
      this.poller.close();
      this.options.onPort(null);
      this.drained.resolve();
      if (this.isStopped) return;
      this.options.log.warn('the gateway ended and is started again', { pid: child.pid, how: signal ? `killed by ${signal}` : `exit status ${code}` });
      if (performance.now() - bornMs > HEALTHY_AFTER_MS) backoff.reset();
      await sleep(backoff.nextMs());
    }
  }

  private start(): ChildProcess {
    const { config, identity, environment } = this.options;
    const child = fork(fileURLToPath(new URL('../gateway/gateway.process.js', import.meta.url)), [], {
      env: Object.fromEntries(Object.entries({ ...process.env, ...environment }).filter(([, value]) => value !== undefined)),
      execArgv: ['--no-warnings', `--max-old-space-size=${HEAP_MB}`],
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.child = child;
    child.on('message', (message: FromGateway) => this.hear(message));
    // A message that meets a dying process: its end is told by 'exit'.
    child.on('error', () => {});
    this.send({ type: 'init', config });
    if (identity.credentials) this.send({ type: 'credentials', credentials: identity.credentials });
    return child;
  }

  private hear(message: FromGateway): void {
    const { log, wanted, onPort } = this.options;
    switch (message.type) {
      case 'up': return this.poller.open(message.revision ?? undefined);
      case 'open': return onPort(message.port);
      case 'refresh': return this.poller.refresh(message.call);
      case 'drained': return this.drained.resolve();
      case 'counts':
        this.counts = message.counts;
        this.gauges = message.gauges;
        return;
      case 'wanted':
        wanted(message.wanted).catch((error: unknown) => log.warn('the control plane does not learn that a channel is wanted', { ...message.wanted, reason: (error as Error).message }));
        return;
      case 'failed':
        log.error('the gateway cannot do what it has to', { what: message.what, reason: message.message });
        // With what it has told by now nobody can be served; another one may find the port free.
        if (message.what === 'init' || message.what === 'credentials') this.child?.kill('SIGKILL');
    }
  }

  private send(message: ToGateway): void {
    if (this.child?.connected) this.child.send(message, () => {});
  }
}
