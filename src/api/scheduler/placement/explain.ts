import { Board } from './board.js';
import { ChannelWork } from './channel-work.js';
import type { Frozen } from './fleet-memory.js';
import { judgeFleet } from './judge-fleet.js';
import type { NodeSlot } from './node-slot.js';
import type { Placement, Replica } from './placement.js';
import { DEFAULT_SETTINGS, type PlacementSettings } from './placement-settings.js';
import type { News } from './news.js';
import { refusalOf, type RefusalCode } from './refusal.js';
import { distanceOf } from './rendezvous.js';
import { inWords, NOTHING } from './resources.js';

export interface NodeExplanation {
  node: string;
  /** A replica is there and is not leaving. */
  chosen: boolean;
  code: RefusalCode | 'chosen' | 'leaving' | 'home' | 'room' | 'zone' | 'spare';
  /** In words with figures. */
  reason: string;
}

export interface Explanation {
  channel: string;
  summary: string;
  /** Every node of the fleet, by name. */
  nodes: readonly NodeExplanation[];
}

/** Why each channel of `keys` is where it is: for each node why it was chosen or why not. Judges with the same functions as the placement itself. */
export function explain(keys: readonly string[], world: News, placement: Placement, settings: PlacementSettings = DEFAULT_SETTINGS): Explanation[] {
  const board = new Board(placement, settings);
  const judgement = judgeFleet(world.nodes, placement.fleet, world.nowMs, settings);
  board.table.update(world.nodes, judgement);
  for (const [node, holdings] of world.reports) board.slot(node).holdings = holdings;
  for (const channel of world.channels) board.describe(channel);
  return keys.flatMap((key) => explainOn(board, key, judgement.memory.frozen) ?? []);
}

/** The same from what a `Placer` holds already; undefined for a channel that it does not know. */
export function explainOn(board: Board, key: string, frozen: Frozen | null): Explanation | undefined {
  const facts = board.facts.get(key);
  if (!facts) return undefined;
  const work = new ChannelWork(facts, board.entries.get(key));
  const ranks = ranksOf(board, work);
  const nodes = [...board.table.slots.values()].map((slot) => explainNode(board, work, slot, ranks)).sort((a, b) => (a.node < b.node ? -1 : 1));
  return { channel: facts.channel.name, summary: summaryOf(board, work, frozen?.reason), nodes };
}

type Ranks = ReadonlyMap<NodeSlot, number>;

function summaryOf(board: Board, work: ChannelWork, frozen: string | undefined): string {
  const { facts: { channel, target, copies, isPinned } } = work;
  const counted = work.counted();
  const ready = counted.filter((replica) => board.isReady(work, replica)).length;
  const { min, max } = channel.replicas;
  const parts = [
    frozen && `the scheduler has stopped: ${frozen}`,
    target > 0
      ? `${counted.length} of ${target} replicas placed, ${ready} ready (at least ${min}, at most ${max}); each needs ${inWords(work.facts.need)}`
      : copies > 0 ? `idle: on disk of ${counted.length} of ${copies} nodes, ready on ${ready}` : 'nothing to serve',
    work.spares().length > 0 && `on disk of ${work.spares().length === 1 ? 'one more node' : `${work.spares().length} more nodes`}`,
    counted.length < work.wanted && `${work.wanted - counted.length} more: ${board.choose(work, { need: target > 0 ? work.facts.need : NOTHING }) ? 'to be started' : 'no suitable node has room'}`,
    isPinned && min > 1 && `one replica instead of ${min}: its state is in files of one node; link its stores to a service that nodes share to have more`,
  ];
  return parts.filter((part) => part).join('; ');
}

function explainNode(board: Board, work: ChannelWork, slot: NodeSlot, ranks: Ranks): NodeExplanation {
  const replica = work.replicas.find(({ node }) => node === slot.name);
  const [code, reason] = replica ? ofReplica(board, work, replica) : ofOther(board, work, slot, ranks);
  return { node: slot.name, chosen: replica !== undefined && !replica.leaving, code, reason };
}

function ofReplica(board: Board, work: ChannelWork, replica: Replica): [NodeExplanation['code'], string] {
  if (replica.leaving) return ['leaving', `leaving: ${replica.reason}`];
  const slot = board.slot(replica.node);
  const refusal = refusalOf(slot.node, slot.standing, work.facts.channel);
  const successor = work.successors().find(({ replaces }) => replaces === replica.node);
  const notes = [
    board.isReady(work, replica) ? 'ready' : 'not ready yet',
    refusal?.moves && `to move: ${refusal.reason}${work.facts.isPinned ? ', but its state is in files here' : ''}`,
    successor && `${successor.node} takes over when it is ready`,
  ];
  return ['chosen', `${replica.reason} (${notes.filter((note) => note).join('; ')})`];
}

function ofOther(board: Board, work: ChannelWork, slot: NodeSlot, ranks: Ranks): [NodeExplanation['code'], string] {
  const { facts } = work;
  const refusal = refusalOf(slot.node, slot.standing, facts.channel);
  if (refusal) return [refusal.code, refusal.reason];
  const home = board.homeOf(work);
  if (home !== undefined && home !== slot.name) return ['home', `its state is in files of ${home}`];
  const need = facts.target > 0 ? facts.need : NOTHING;
  if (!slot.fits(need)) return ['room', `needs ${inWords(need)}, ${inWords(slot.free())} are free`];
  const held = work.ordinary();
  const counts = board.zoneCounts(work);
  const most = Math.max(0, ...held.map(({ node }) => counts[board.slot(node).zone] ?? 0));
  const mine = counts[slot.zone]!;
  const placed = `${held.length} of ${facts.copies} replicas are placed`;
  if (held.length >= facts.copies && mine >= most && mine > 0) return ['zone', `suitable, not needed: ${placed}, ${mine} of them in this zone (${slot.node!.zone})`];
  return ['spare', `suitable, ${held.length < facts.copies ? 'to be used' : 'not needed'}: ${placed}; ${ranks.get(slot)}. of ${ranks.size} suitable nodes by hash`];
}

/** The suitable nodes in the order of the hash. */
function ranksOf(board: Board, work: ChannelWork): Ranks {
  const { candidates } = board.classOf(work.facts);
  const distances = candidates.map((slot) => ({ slot, distance: distanceOf(work.facts.seed, slot.seed, slot.weight) }));
  return new Map(distances.sort((a, b) => a.distance - b.distance || (a.slot.name < b.slot.name ? -1 : 1)).map(({ slot }, i) => [slot, i + 1]));
}
