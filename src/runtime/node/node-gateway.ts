import type { GatewayAddress } from '#contract/node-facts.js';
import type { NodeConfig } from '#platform/config.js';
import { toMetricsAddress as toHostAndPort } from '#platform/http/metrics-server.js';
import type { Log } from '#platform/log.js';
import type { GatewayCounts, GatewayGauges } from '#runtime/gateway/gateway-protocol.js';
import type { ControlPlaneClient } from './control-plane.client.js';
import { GatewayProcess } from './gateway-process.js';
import type { NodeIdentity } from './identity/node-identity.js';
import type { NodeDir } from './node-dir.js';

export interface NodeGatewayOptions {
  config: NodeConfig;
  dir: NodeDir;
  client: ControlPlaneClient;
  identity: NodeIdentity;
  /** null: the node has no gateway. */
  sockets: { gateway: string; relay: string } | null;
  environment: Record<string, string | undefined>;
  /** Other nodes reach it there; null: nowhere. */
  onAddress(address: GatewayAddress | null): void;
  log: Log;
}

/** The gateway of a node, and where others reach it. */
export class NodeGateway {
  private port: number | null = null;
  private readonly process: GatewayProcess;

  private constructor(private readonly options: NodeGatewayOptions & { sockets: { gateway: string; relay: string } }) {
    const { config, dir, client, identity, sockets, environment, log } = options;
    this.process = new GatewayProcess({
      config: {
        node: identity.node,
        gatewayPath: sockets.gateway,
        relayPath: sockets.relay,
        listen: toHostAndPort(config.WHORL_GATEWAY_LISTEN!),
        routesPath: dir.routes,
        appDomain: config.WHORL_APP_DOMAIN,
        publicPort: config.WHORL_HTTP_PORT,
        wallMs: config.WHORL_LIMIT_WALL_MS,
        logLevel: config.WHORL_LOG_LEVEL,
      },
      identity,
      environment,
      routes: (after, waitS, signal) => client.routes(after, waitS, signal),
      wanted: (channel) => client.wanted(channel),
      onPort: (port) => this.opened(port),
      log,
    });
  }

  static of(options: NodeGatewayOptions): NodeGateway | null {
    const { sockets } = options;
    return sockets && new NodeGateway({ ...options, sockets });
  }

  private get address(): GatewayAddress | null {
    if (this.port === null) return null;
    const { WHORL_GATEWAY_LISTEN: listen, WHORL_GATEWAY_ADDRESS: address } = this.options.config;
    return address === undefined ? { host: toHostAndPort(listen!).host, port: this.port } : toHostAndPort(address);
  }

  get counts(): GatewayCounts | undefined {
    return this.process.counts;
  }

  get gauges(): GatewayGauges | undefined {
    return this.process.gauges;
  }

  run(signal: AbortSignal): Promise<void> {
    return this.process.run(signal);
  }

  drain(timeoutMs: number): Promise<void> {
    return this.process.drain(timeoutMs);
  }

  stop(): Promise<void> {
    return this.process.stop();
  }

  private opened(port: number | null): void {
    if (port === this.port) return;
    this.port = port;
    this.options.onAddress(this.address);
  }
}
