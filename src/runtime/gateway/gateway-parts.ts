import type { NodeName } from '#contract/ids.js';
import type { Route, RouteNode, WantedChannel } from '#contract/routes.js';
import type { Log } from '#platform/log.js';
import type { Deadlines } from '#runtime/component/deadlines.js';
import type { Open } from '#runtime/trigger/relay/exchange.js';
import type { GatewayCounts, GatewayGauges } from './gateway-protocol.js';
import type { NodeScores } from './node-scores.js';
import type { RouteTable } from './route-table.js';
import type { TableNews } from './table-news.js';

/** What one request needs of the gateway. */
export interface GatewayParts {
  readonly table: RouteTable;
  readonly scores: NodeScores;
  readonly news: TableNews;
  readonly deadlines: Deadlines;
  readonly headTimeoutMs: number;
  readonly counts: GatewayCounts;
  readonly gauges: GatewayGauges;
  readonly log: Log;
  readonly self: NodeName;
  readonly appDomain: string;
  readonly publicPort: number;
  readonly toSelf: Open;
  toNode(node: RouteNode): Open;
  canReachOthers(): boolean;
  random(): number;
  raise(route: Route, generation: number): void;
  want(channel: WantedChannel): void;
  /** The request is over. */
  over(): void;
}
