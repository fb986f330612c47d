import { ChannelFacts, ChannelWork } from './channel-work.js';
import { chooseNode } from './choose-node.js';
import { FleetTable, type NodeClass } from './fleet-table.js';
import type { NodeSlot } from './node-slot.js';
import type { PlacementChannel } from './placement-channel.js';
import type { ChannelPlacement, Placement, Replica } from './placement.js';
import type { PlacementSettings } from './placement-settings.js';
import { inWords, NOTHING, type Resources } from './resources.js';

/** What a node is looked for. */
export interface Wanted {
  need?: Resources;
  /** Not counted in its zone, since it is to leave. */
  instead?: Replica;
  mostInZone?: number;
}

/** The one place that changes replicas: it keeps the nodes' charges true while it does. */
export class Board {
  readonly table = new FleetTable();
  readonly facts = new Map<string, ChannelFacts>();
  readonly entries: Map<string, ChannelPlacement>;
  readonly homes: Map<string, string>;
  /** Of this pass. */
  readonly works = new Map<string, ChannelWork>();
  /** Moves under way. */
  moving = 0;
  repairsLeft = 0;

  constructor(before: Placement, readonly settings: PlacementSettings) {
    this.entries = new Map(before.channels);
    this.homes = new Map(before.homes);
    for (const [key, { replicas }] of this.entries) {
      for (const replica of replicas) {
        this.table.slot(replica.node).held.add(key);
        if (replica.replaces !== null) this.moving++;
      }
    }
  }

  describe(channel: PlacementChannel): void {
    const before = this.facts.get(channel.key)?.need ?? NOTHING;
    const facts = new ChannelFacts(channel, this.settings.diskCopies);
    this.facts.set(channel.key, facts);
    for (const { node, active } of this.entries.get(channel.key)?.replicas ?? []) {
      this.slot(node).outlook = null;
      if (!active) continue;
      this.slot(node).discharge(before);
      this.slot(node).charge(facts.need);
    }
  }

  work(key: string): ChannelWork {
    let work = this.works.get(key);
    if (!work) this.works.set(key, (work = new ChannelWork(this.facts.get(key)!, this.entries.get(key))));
    return work;
  }

  slot(node: string): NodeSlot {
    return this.table.slot(node);
  }

  classOf({ channel, classKey }: ChannelFacts): NodeClass {
    return this.table.classOf(channel, classKey);
  }

  isReady(work: ChannelWork, { node, generation }: Replica): boolean {
    const slot = this.slot(node);
    const holding = slot.holdings.get(work.key);
    return slot.standing.kind !== 'lost' && holding?.generation === generation && holding.ready;
  }

  /** Replicas by zone; a move counts where it goes to. */
  zoneCounts(work: ChannelWork, instead?: Replica): number[] {
    const counts = Array.from({ length: this.table.zoneCount() }, () => 0);
    for (const replica of work.replicas) {
      const { zone } = this.slot(replica.node);
      if (!replica.leaving && replica !== instead && zone >= 0 && !work.hasSuccessor(replica)) counts[zone]!++;
    }
    return counts;
  }

  choose(work: ChannelWork, { need = work.facts.need, instead, mostInZone = Infinity }: Wanted): NodeSlot | null {
    const { candidates, preferences } = this.classOf(work.facts);
    const home = this.homeOf(work);
    return chooseNode({
      candidates: home === undefined ? candidates : candidates.filter(({ name }) => name === home),
      preferences: home === undefined ? preferences : null,
      channelSeed: work.facts.seed,
      need,
      zoneCounts: this.zoneCounts(work, instead),
      mostInZone,
      taken: work.replicas.map(({ node }) => this.slot(node)),
      highWater: this.settings.highWater,
    });
  }

  homeOf({ facts: { channel } }: ChannelWork): string | undefined {
    return channel.stateGroup === null ? undefined : this.homes.get(channel.stateGroup);
  }

  /** Puts a replica on the chosen node; `why` is the first half of its reason. */
  add(work: ChannelWork, slot: NodeSlot, why: string, { active, replaces = null }: { active: boolean; replaces?: Replica | null }): void {
    const inZone = this.zoneCounts(work, replaces ?? undefined)[slot.zone]!;
    if (active) slot.charge(work.facts.need);
    slot.held.add(work.key);
    if (replaces) this.moving++;
    if (work.facts.channel.stateGroup !== null) this.homes.set(work.facts.channel.stateGroup, slot.name);
    const fullness = active ? `takes ${inWords(work.facts.need)}, ${inWords(slot.free())} stay free` : 'on disk only';
    const reason = `${why}: zone ${slot.node!.zone} had ${inZone} of its replicas; first by hash of those with room, of ${this.classOf(work.facts).candidates.length} suitable nodes; ${fullness}`;
    work.replicas.push({ node: slot.name, generation: work.generation, active, leaving: false, replaces: replaces?.node ?? null, reason });
    this.touch(work);
  }

  /** No request goes there any more; the node is to let go. A successor that it had goes with it. */
  leave(work: ChannelWork, replica: Replica, reason: string): void {
    for (const successor of work.successors()) if (successor.replaces === replica.node) this.leave(work, successor, reason);
    this.endMove(work, replica);
    replica.leaving = true;
    replica.reason = reason;
    this.touch(work);
  }

  /** The node has let go, or is no more. */
  drop(work: ChannelWork, replica: Replica): void {
    this.endMove(work, replica);
    const slot = this.slot(replica.node);
    if (replica.active) slot.discharge(work.facts.need);
    slot.held.delete(work.key);
    this.touch(work);
    work.replicas.splice(work.replicas.indexOf(replica), 1);
  }

  endMove(work: ChannelWork, replica: Replica): void {
    if (replica.replaces === null) return;
    replica.replaces = null;
    this.moving--;
    this.touch(work);
  }

  setActive(work: ChannelWork, replica: Replica, active: boolean): void {
    if (replica.active === active) return;
    if (active) this.slot(replica.node).charge(work.facts.need);
    else this.slot(replica.node).discharge(work.facts.need);
    replica.active = active;
    this.touch(work);
  }

  /** Something about its replicas has changed, and so has what its nodes may expect. */
  touch(work: ChannelWork): void {
    work.changed = true;
    for (const { node } of work.replicas) this.slot(node).outlook = null;
  }

  mayMove(): boolean {
    return this.moving < this.settings.movesInFlight;
  }
}
