import type { FleetJudgement } from './judge-fleet.js';
import { NodeSlot } from './node-slot.js';
import type { PlacementChannel } from './placement-channel.js';
import type { PlacementNode } from './placement-node.js';
import { preferenceOf, refusalOf } from './refusal.js';

/** What nodes are to all channels that ask for the same. */
export interface NodeClass {
  /** May get something new; by name. */
  candidates: readonly NodeSlot[];
  /** Preferred rules that each candidate meets; null: there are none. */
  preferences: readonly number[] | null;
  /** Keep what they have. */
  keepers: ReadonlySet<NodeSlot>;
  /** Zones with a candidate. */
  zones: readonly number[];
}

/** The nodes of one pass after the other. */
export class FleetTable {
  readonly slots = new Map<string, NodeSlot>();
  /** Taken for lost in this pass. */
  lostNow: ReadonlySet<string> = new Set();
  private readonly zones = new Map<string, number>();
  private readonly descriptions = new Map<string, string>();
  /** By what channels ask for; as long as no node changes. */
  private classes = new Map<string, NodeClass>();

  /** Takes over what is known of the nodes now. Answers those of which something other than the time changed. */
  update(nodes: readonly PlacementNode[], { standings, lostNow }: FleetJudgement): NodeSlot[] {
    this.lostNow = lostNow;
    const named = new Map(nodes.map((node) => [node.name, node]));
    const changed: NodeSlot[] = [];
    for (const [name, standing] of standings) {
      const slot = this.slot(name);
      const node = named.get(name);
      const description = JSON.stringify([standing.kind, node && { ...node, lastSeenMs: 0 }]);
      slot.standing = standing;
      if (this.descriptions.get(name) !== description) {
        this.descriptions.set(name, description);
        changed.push(slot);
      }
      slot.describe(node);
      if (node) slot.zone = this.zoneOf(node.zone);
    }
    if (changed.length > 0) this.classes = new Map();
    return changed;
  }

  slot(name: string): NodeSlot {
    let slot = this.slots.get(name);
    if (!slot) {
      this.slots.set(name, (slot = new NodeSlot(name)));
      // Until somebody names it. What is placed there is not touched before that.
      slot.standing = { kind: 'lost', silentMs: null };
    }
    return slot;
  }

  zoneCount(): number {
    return this.zones.size;
  }

  zoneName(index: number): string {
    return [...this.zones.keys()][index] ?? 'unknown';
  }

  classOf(channel: PlacementChannel, key: string): NodeClass {
    let found = this.classes.get(key);
    if (!found) this.classes.set(key, (found = this.classify(channel)));
    return found;
  }

  private classify(channel: PlacementChannel): NodeClass {
    const candidates: NodeSlot[] = [];
    const keepers = new Set<NodeSlot>();
    for (const slot of [...this.slots.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const refusal = refusalOf(slot.node, slot.standing, channel);
      if (!refusal) candidates.push(slot);
      if (!refusal?.moves) keepers.add(slot);
    }
    const preferences = channel.affinity.preferred.length > 0 ? candidates.map(({ node }) => preferenceOf(node!, channel)) : null;
    return { candidates, preferences, keepers, zones: [...new Set(candidates.map(({ zone }) => zone))] };
  }

  private zoneOf(name: string): number {
    let index = this.zones.get(name);
    if (index === undefined) this.zones.set(name, (index = this.zones.size));
    return index;
  }
}

/** Equal for channels to which all nodes are the same. */
export function classKeyOf({ engines, capabilities, affinity, tolerations }: PlacementChannel): string {
  return JSON.stringify([engines, capabilities, affinity, tolerations]);
}
