import type { NodeName } from '#contract/ids.js';
import type { NodeCredentials } from '#contract/node-identity.js';
import type { RouteChanges, WantedChannel } from '#contract/routes.js';
import type { LogLevel } from '#platform/log.js';

/**
 * What the agent and the gateway's process say to each other. Both are of one release and talk over a channel that nobody else has, so nothing
 * is parsed.
 *
 *     agent ──init, credentials…, routes…, refreshed…, drain──▶ gateway ──up, open…, refresh…, wanted…, counts…, drained──▶ agent
 */

export interface GatewayConfig {
  node: NodeName;
  /** Where runners hand over what the node has not. */
  gatewayPath: string;
  /** Where runners take what came in by other nodes. */
  relayPath: string;
  /** Where gateways of other nodes connect to. */
  listen: { host: string; port: number };
  routesPath: string;
  appDomain: string;
  publicPort: number;
  /** The longest invocation. */
  wallMs: number;
  logLevel: LogLevel;
}

/** What the gateway has counted since its start. */
export interface GatewayCounts {
  /** Requests that another node answered. */
  handedOver: number;
  /** Requests of other nodes. */
  taken: number;
  /** Connections that other gateways have opened. */
  connections: number;
  /** Tries at another node, after one that failed or had the channel no more. */
  retried: number;
  /** Nodes that did not have a channel as the table says. */
  misdirected: number;
  /** Requests that waited for a channel that was nowhere. */
  waited: number;
  /** Requests that got an error of the gateway's own. */
  failed: number;
  /** Peers that were not believed. */
  refusedPeers: number;
}

export interface GatewayGauges {
  /** Requests under way, of this node's clients and of other nodes. */
  underWay: number;
  /** Of those, the ones that wait for a channel. */
  waiting: number;
  routes: number;
  /** Open connections of other gateways. */
  connections: number;
}

export type ToGateway =
  | { type: 'init'; config: GatewayConfig }
  | { type: 'credentials'; credentials: NodeCredentials }
  | { type: 'routes'; changes: RouteChanges }
  /** The control plane was asked, or could not be, for what is new since the `refresh` of this number. */
  | { type: 'refreshed'; call: number }
  /** Takes nothing more from other nodes, and ends what is under way for them. */
  | { type: 'drain'; timeoutMs: number };

export type FromGateway =
  /** It answers runners. `revision`: of the table on disk. */
  | { type: 'up'; revision: string | null }
  /** It answers other gateways. */
  | { type: 'open'; port: number }
  /** A message could not be acted on. */
  | { type: 'failed'; what: ToGateway['type']; message: string }
  | { type: 'refresh'; call: number }
  | { type: 'wanted'; wanted: WantedChannel }
  | { type: 'counts'; counts: GatewayCounts; gauges: GatewayGauges }
  | { type: 'drained' };
