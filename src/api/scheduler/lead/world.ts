import { nameOf } from '../placed-index.js';
import type { News } from '../placement/news.js';
import type { PlacementChannel } from '../placement/placement-channel.js';
import type { Holdings } from '../placement/placement.js';
import { stateGroups } from '../placement/state-groups.js';
import type { ChannelScale } from '../scale/channel-scale.js';
import { type ChannelDemand, type ChannelRow, type HeldFacts, toPlacementChannel } from './channel-row.js';
import { BASE_DEMAND } from './demand.js';
import { type NodePulse, type NodeRow, toHoldings, toPlacementNode } from './node-row.js';

/** A channel that was changed. */
export interface ChannelNews {
  row: ChannelRow;
  scale: ChannelScale | null;
  facts: HeldFacts;
  /** Those in files of a node. */
  stores: readonly string[];
}

interface Reading {
  channels: readonly ChannelNews[];
  gone: readonly string[];
  nodes: readonly NodeRow[];
  pulse: { nowMs: number; nodes: readonly NodePulse[] };
}

/** Nobody uses it, as far as is known. */
const UNUSED: ChannelDemand = { wanted: 0, demand: BASE_DEMAND };

/** What the leader knows of the fleet, kept from reading to reading, and what of it is new to the placer. */
export class World {
  /** Where the next reading begins. */
  horizon = 0n;
  private readonly channels = new Map<string, ChannelNews>();
  private readonly byName = new Map<string, ChannelRow>();
  private readonly nodes = new Map<string, NodeRow>();
  private readonly stores = new Map<string, readonly string[]>();
  private readonly measures = new Map<string, ChannelDemand>();
  /** As they were last handed to the placer, as text. */
  private readonly described = new Map<string, string>();
  private groups: ReadonlyMap<string, string> = new Map();
  private fleetEngines: readonly string[] = [];
  private pulse: Reading['pulse'] = { nowMs: 0, nodes: [] };
  private changed = new Set<string>();
  private removed: string[] = [];
  /** Nodes of which the holdings are to be worked out anew. */
  private reported = new Set<string>();

  take({ channels, gone, nodes, pulse }: Reading): void {
    this.pulse = pulse;
    for (const { node } of nodes) this.reported.add(node);
    for (const node of nodes) this.nodes.set(node.node, node);
    for (const id of gone) this.remove(id);
    for (const channel of channels) this.put(channel);
    this.regroup();
    this.recount();
  }

  /** What a channel is used for now. */
  measure(id: string, measured: ChannelDemand): void {
    this.measures.set(id, measured);
    this.changed.add(id);
  }

  /** Nodes that were named last. */
  get nodeCount(): number {
    return this.pulse.nodes.length;
  }

  find(id: string): ChannelNews | undefined {
    return this.channels.get(id);
  }

  /** The id of the channel that has the name now. */
  idOf(name: { app: string; channel: string }): string | undefined {
    return this.byName.get(nameOf(name))?.id;
  }

  news(): News {
    const { nowMs, nodes } = this.pulse;
    const channels = [...this.changed].flatMap((id) => this.describe(id) ?? []);
    const reports = new Map<string, Holdings>();
    for (const node of this.reported) {
      const row = this.nodes.get(node);
      if (row) reports.set(node, toHoldings(row, this.byName));
    }
    const { removed } = this;
    [this.changed, this.reported, this.removed] = [new Set(), new Set(), []];
    return { nowMs, nodes: nodes.flatMap((pulse) => this.toNode(pulse) ?? []), channels, removed, reports };
  }

  private toNode(pulse: NodePulse) {
    const row = this.nodes.get(pulse.node);
    return row && toPlacementNode(row, pulse);
  }

  private put(channel: ChannelNews): void {
    const { row } = channel;
    const before = this.channels.get(row.id)?.row;
    this.channels.set(row.id, channel);
    this.byName.set(nameOf(row), row);
    if (channel.stores.length > 0) this.stores.set(row.id, channel.stores);
    else this.stores.delete(row.id);
    this.changed.add(row.id);
    // What is ready depends on what is served.
    if (JSON.stringify(before?.serve) !== JSON.stringify(row.serve)) this.lookAtHolders(row);
  }

  private remove(id: string): void {
    const row = this.channels.get(id)?.row;
    this.removed.push(id);
    if (!row) return;
    this.lookAtHolders(row);
    for (const map of [this.channels, this.stores, this.measures, this.described]) map.delete(id);
    this.changed.delete(id);
    if (this.byName.get(nameOf(row))?.id === id) this.byName.delete(nameOf(row));
  }

  private lookAtHolders(row: ChannelRow): void {
    for (const { node, statuses } of this.nodes.values()) {
      if (statuses.some(({ app, channel }) => app === row.app && channel === row.channel)) this.reported.add(node);
    }
  }

  private regroup(): void {
    const groups = stateGroups(this.stores);
    for (const id of new Set([...groups.keys(), ...this.groups.keys()])) if (groups.get(id) !== this.groups.get(id)) this.changed.add(id);
    this.groups = groups;
  }

  private recount(): void {
    const engines = [...new Set(this.pulse.nodes.flatMap(({ node }) => this.nodes.get(node)?.facts.engines ?? []))].sort();
    if (engines.join() === this.fleetEngines.join()) return;
    this.fleetEngines = engines;
    for (const id of this.channels.keys()) this.changed.add(id);
  }

  /** undefined: the placer knows it so already. */
  private describe(id: string): PlacementChannel | undefined {
    const known = this.channels.get(id);
    if (!known) return undefined;
    const channel = toPlacementChannel({ ...known, stateGroup: this.groups.get(id) ?? null, fleetEngines: this.fleetEngines, measured: this.measures.get(id) ?? UNUSED });
    const text = JSON.stringify(channel);
    if (this.described.get(id) === text) return undefined;
    this.described.set(id, text);
    return channel;
  }
}
