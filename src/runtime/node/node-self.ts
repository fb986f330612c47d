import type { GatewayAddress, NodeFacts, NodeReceipt } from '#contract/node-facts.js';
import type { NodeConfig } from '#platform/config.js';
import type { Log } from '#platform/log.js';
import { Departure } from './departure.js';
import { HealthWatch } from './health-watch.js';
import { LetGoSum } from './let-go-sum.js';
import { LoadTally } from './load-tally.js';
import { type FixedFacts, fixedFacts } from './node-facts.js';

export interface NodeSelfOptions {
  config: NodeConfig;
  runners: number;
  /** The node's folder. */
  dir: string;
  /** Has clients go elsewhere. */
  announce(): void;
  /** Something of it is another than before. */
  onChange(): void;
  log: Log;
}

/** What a node knows of itself, and says. */
export class NodeSelf {
  readonly letGo = new LetGoSum();
  readonly load = new LoadTally();
  readonly health: HealthWatch;
  readonly departure: Departure;
  /** Where other nodes reach this one's gateway. */
  gateway: GatewayAddress | null = null;
  /** Of its journals, when it stops. */
  unshippedBytes = 0;
  private readonly fixed: FixedFacts;

  constructor({ config, runners, dir, announce, onChange, log }: NodeSelfOptions) {
    this.fixed = fixedFacts(config, runners);
    this.health = new HealthWatch({ dir, runners, log, onChange });
    this.departure = new Departure({ maxMs: config.WHORL_DRAIN_MS, say: onChange, announce, log });
  }

  facts(): NodeFacts {
    const { fixed, gateway, unshippedBytes } = this;
    return { ...fixed, gateway, unshippedBytes, sickness: this.health.sickness, farewell: this.departure.farewell, letGo: this.letGo.sum() };
  }

  /** The control plane answered. @param sentAtMs when it was asked, ms since the epoch */
  heard(receipt: NodeReceipt, sentAtMs: number): void {
    this.health.heard(receipt, sentAtMs);
    this.departure.heard(receipt, sentAtMs);
  }
}
