import { Board } from './board.js';
import type { ChannelWork } from './channel-work.js';
import type { FleetMemory } from './fleet-memory.js';
import { type Explanation, explainOn } from './explain.js';
import { judgeFleet } from './judge-fleet.js';
import { makeRoom } from './make-room.js';
import type { News } from './news.js';
import type { NodeSlot } from './node-slot.js';
import type { PlacementChannel } from './placement-channel.js';
import { DEFAULT_SETTINGS, type PlacementSettings } from './placement-settings.js';
import type { ChannelPlacement, Placement } from './placement.js';
import { relieve } from './relieve.js';
import { NOTHING } from './resources.js';
import { isAtRest, isRestless, keepSpares, moveAway, reach, spread, tidy } from './settle-channel.js';

/** What a pass decided. */
export interface Decisions {
  /** By the channel's key; null: nothing is left of it. */
  changed: ReadonlyMap<string, ChannelPlacement | null>;
  /** State groups that have found their node. */
  homes: ReadonlyMap<string, string>;
  fleet: FleetMemory;
  /** Keys of channels that have fewer replicas than they must have. */
  short: readonly string[];
  /** Nodes with more than fits. */
  over: readonly string[];
  /** Moves under way. */
  moving: number;
}

/**
 * Placement that goes on from pass to pass: each looks only at what is new and at channels that lack something. It decides as `place`
 * would, which looks at everything (a test holds it to that).
 */
export class Placer {
  private readonly board: Board;
  private fleet: FleetMemory;
  /** To be looked at in the next pass. */
  private due = new Set<string>();
  /** Channels that are to be removed. */
  private readonly gone = new Set<string>();
  /** Channels with several replicas in one zone. */
  private readonly stacked = new Set<string>();

  constructor(before: Placement, private readonly settings: PlacementSettings = DEFAULT_SETTINGS) {
    this.board = new Board(before, settings);
    this.fleet = before.fleet;
  }

  pass(news: News): Decisions {
    const { board } = this;
    this.take(news);
    const homes = new Map(board.homes);
    board.repairsLeft = this.settings.repairsPerPass;
    if (this.fleet.frozen) return this.placeNew(homes);
    this.settle(this.restless().sort((a, b) => a.facts.compare(b.facts)));
    return this.commit(homes);
  }

  placement(): Placement {
    return { channels: this.board.entries, homes: this.board.homes, fleet: this.fleet };
  }

  /** Why a channel is where it is; undefined for one that is not known. */
  explain(key: string): Explanation | undefined {
    return explainOn(this.board, key, this.fleet.frozen);
  }

  private take({ nowMs, nodes, channels, removed, reports }: News): void {
    const { board } = this;
    board.works.clear();
    for (const slot of board.table.slots.values()) slot.outlook = null;
    const judgement = judgeFleet(nodes, this.fleet, nowMs, this.settings);
    this.fleet = judgement.memory;
    const changed = board.table.update(nodes, judgement);
    for (const slot of changed) this.look(slot.held);
    // Where there is a new place, those that stand together may part.
    if (changed.some(({ standing, node }) => standing.kind === 'live' && node?.wanted === 'active')) this.look(this.stacked);
    for (const [node, holdings] of reports) {
      const slot = board.slot(node);
      slot.holdings = holdings;
      this.look(slot.held);
    }
    for (const channel of channels) board.describe(channel);
    this.look(channels.map(({ key }) => key));
    for (const key of removed) {
      if (!board.entries.has(key)) {
        board.facts.delete(key);
        continue;
      }
      this.gone.add(key);
      board.describe(goneChannel(key));
      this.due.add(key);
    }
  }

  private look(keys: Iterable<string>): void {
    for (const key of keys) this.due.add(key);
  }

  /** While most nodes seem gone nothing is moved or taken away. What nobody has placed yet comes to where somebody is: that undoes nothing. */
  private placeNew(homes: ReadonlyMap<string, string>): Decisions {
    const { board, due, gone } = this;
    const works = [...due].flatMap((key) => (board.facts.has(key) && !board.entries.has(key) ? [board.work(key)] : [])).sort((a, b) => a.facts.compare(b.facts));
    for (const work of works) if (work.facts.target > 0) reach(board, work, work.facts.least);
    this.fill(works);
    const waiting = [...gone];
    gone.clear();
    const decisions = this.commit(homes);
    for (const key of waiting) gone.add(key);
    this.look(due);
    return decisions;
  }

  /** What must be comes before what is wanted, for all channels, and both before moves. */
  private settle(works: readonly ChannelWork[]): void {
    const { board } = this;
    for (const work of works) tidy(board, work);
    const short = works.filter((work) => work.facts.target > 0 && !reach(board, work, work.facts.least));
    this.fill(works);
    for (const work of works) moveAway(board, work);
    for (const slot of this.overSlots()) relieve(board, slot);
    for (const work of this.withTouched(works)) spread(board, work);
    short.forEach((work, i) => makeRoom(board, work, i < DISPLACING));
  }

  /** What is wanted beyond what must be, and copies on disk. */
  private fill(works: readonly ChannelWork[]): void {
    for (const work of works) reach(this.board, work, work.wanted);
    for (const work of works) keepSpares(this.board, work);
  }

  private restless(): ChannelWork[] {
    const { board } = this;
    const works: ChannelWork[] = [];
    for (const key of this.due) {
      const facts = board.facts.get(key);
      if (facts && !isAtRest(board, facts, board.entries.get(key)?.replicas ?? [])) works.push(board.work(key));
    }
    return works;
  }

  /** Those and what was changed for the sake of others: one that has lost a replica to a full node may stand unevenly now. */
  private withTouched(works: readonly ChannelWork[]): ChannelWork[] {
    const all = new Set(works);
    for (const work of this.board.works.values()) if (work.changed) all.add(work);
    return all.size === works.length ? [...works] : [...all].sort((a, b) => a.facts.compare(b.facts));
  }

  private overSlots(): NodeSlot[] {
    return [...this.board.table.slots.values()].filter((slot) => slot.isOver()).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  private commit(homesBefore: ReadonlyMap<string, string>): Decisions {
    const { board } = this;
    const changed = new Map<string, ChannelPlacement | null>();
    const due = new Set<string>();
    const short: string[] = [];
    for (const [key, work] of board.works) {
      if (work.changed) {
        const entry = { generation: work.generation, replicas: [...work.replicas].sort((a, b) => (a.node < b.node ? -1 : 1)) };
        changed.set(key, entry);
        board.entries.set(key, entry);
      }
      if (isRestless(board, work)) due.add(key);
      if (Math.max(0, ...board.zoneCounts(work)) > 1) this.stacked.add(key);
      else this.stacked.delete(key);
      if (isShort(work)) short.push(key);
    }
    for (const key of this.gone) {
      if (board.entries.get(key)!.replicas.length > 0) continue;
      changed.set(key, null);
      this.forget(key);
    }
    this.due = due;
    const homes = new Map([...board.homes].filter(([group, node]) => homesBefore.get(group) !== node));
    return this.decisions(changed, homes, short.sort());
  }

  private forget(key: string): void {
    this.board.entries.delete(key);
    this.board.facts.delete(key);
    this.gone.delete(key);
    this.stacked.delete(key);
  }

  private decisions(changed: Decisions['changed'], homes: Decisions['homes'], short: readonly string[]): Decisions {
    return { changed, homes, fleet: this.fleet, short, over: this.overSlots().map(({ name }) => name), moving: this.board.moving };
  }
}

const isShort = (work: ChannelWork): boolean => work.facts.target > 0 && work.counted().length < work.facts.least;

/** Channels for which smaller ones are moved in one pass, since looking for such moves is long. */
const DISPLACING = 8;

/** It gets no requests any more, so what it still holds counts for nothing. */
function goneChannel(key: string): PlacementChannel {
  return {
    key, name: key, replicas: { min: 0, max: 0, wanted: 0 }, demand: NOTHING, reserve: NOTHING, engines: [], capabilities: [],
    affinity: { required: [], preferred: [] }, tolerations: [], stateGroup: null,
  };
}
