import type { Board } from './board.js';
import type { ChannelFacts, ChannelWork } from './channel-work.js';
import type { Replica } from './placement.js';
import { refusalOf } from './refusal.js';
import { distanceOf } from './rendezvous.js';
import { NOTHING } from './resources.js';

/** What is done for one channel, step by step. Each step does nothing to a channel that has what it should have. */

/** It has what it should have: nothing is to be done and nothing is under way. Says so of most channels in a full pass, quickly. */
export function isAtRest(board: Board, facts: ChannelFacts, replicas: readonly Replica[]): boolean {
  if (replicas.length !== facts.copies || facts.isPinned) return false;
  const { keepers } = board.classOf(facts);
  let activeCount = 0;
  for (let i = 0; i < replicas.length; i++) {
    const { node, leaving, replaces, active } = replicas[i]!;
    const slot = board.slot(node);
    if (leaving || replaces !== null || !keepers.has(slot)) return false;
    if (active) activeCount++;
    // Two in one zone may be right or not: that takes a longer look.
    for (let j = 0; j < i; j++) if (board.slot(replicas[j]!.node).zone === slot.zone) return false;
  }
  return activeCount === facts.target;
}

/** Takes over what has happened: nodes lost, moves done, replicas let go of, another target. */
export function tidy(board: Board, work: ChannelWork): void {
  for (const replica of work.replicas.slice()) forget(board, work, replica);
  for (const successor of work.successors()) {
    const original = work.ordinary().find(({ node }) => node === successor.replaces);
    if (!original) board.endMove(work, successor);
    // What became active meanwhile is first given room where it goes to.
    else if (board.isReady(work, successor) && successor.active === original.active) {
      board.endMove(work, successor);
      board.leave(work, original, `moved to ${successor.node}, which is ready`);
    }
  }
  matchTarget(board, work);
  dropSurplus(board, work);
  if (work.facts.isPinned) keepHome(board, work);
}

/** A channel that comes to have state of its own is at home where it is; one whose state is elsewhere goes there. */
function keepHome(board: Board, work: ChannelWork): void {
  for (const successor of work.successors()) board.leave(work, successor, 'its state is in files of another node');
  const [replica] = work.ordinary();
  if (!replica) return;
  const home = board.homeOf(work);
  if (home === undefined) board.homes.set(work.facts.channel.stateGroup!, replica.node);
  else if (home !== replica.node) board.leave(work, replica, `its state is in files of ${home}`);
}

function forget(board: Board, work: ChannelWork, replica: Replica): void {
  const slot = board.slot(replica.node);
  const isGone = slot.standing.kind === 'lost' || slot.standing.kind === 'removed';
  if (replica.leaving) {
    if (isGone || !slot.holdings.has(work.key)) board.drop(work, replica);
    return;
  }
  if (!isGone) return;
  // Its files are there and nowhere else. What the node says when it returns has to be of after the loss.
  if (work.facts.isPinned) {
    if (!board.table.lostNow.has(replica.node)) return;
    replica.generation = work.generation;
    board.touch(work);
    return;
  }
  board.drop(work, replica);
}

/** No more active ones than there should be; a move makes what it moves. Those that are too few become active in `reach`. */
function matchTarget(board: Board, work: ChannelWork): void {
  const { target, need } = work.facts;
  if (target === 0) for (const replica of work.ordinary()) board.setActive(work, replica, false);
  for (let counted = work.counted(); target > 0 && counted.length > target; counted = work.counted()) board.setActive(work, worst(board, work, counted), false);
  for (const successor of work.successors()) {
    const isActive = work.replicas.find(({ node }) => node === successor.replaces)!.active;
    if (isActive && !successor.active && !board.slot(successor.node).fits(need)) board.leave(work, successor, 'no room for it as active');
    else board.setActive(work, successor, isActive);
  }
}

function dropSurplus(board: Board, work: ChannelWork): void {
  const { target, copies, isPinned } = work.facts;
  if (target === 0 || isPinned) {
    const home = board.homeOf(work);
    for (let there = work.ordinary(); there.length > copies; there = work.ordinary()) {
      const others = there.filter(({ node }) => node !== home);
      board.leave(work, worst(board, work, others), `one more than the ${copies} it should have`);
    }
    return;
  }
  // A node that has it on disk answers until others are ready.
  if (work.counted().length < target) return;
  const isServed = work.counted().filter((replica) => board.isReady(work, replica)).length >= target;
  for (;;) {
    const mayGo = work.spares().filter((replica) => isServed || !board.isReady(work, replica));
    if (work.ordinary().length <= copies || mayGo.length === 0) return;
    board.leave(work, worst(board, work, mayGo), `on disk only, and ${target} active replicas are ready`);
  }
}

/** The one that is missed least. */
export function worst(board: Board, work: ChannelWork, replicas: readonly Replica[]): Replica {
  const { keepers } = board.classOf(work.facts);
  const zoneCounts = board.zoneCounts(work);
  const rank = (replica: Replica): number[] => {
    const slot = board.slot(replica.node);
    return [
      Number(!replica.active),
      Number(!board.isReady(work, replica)),
      Number(!keepers.has(slot)),
      Number(slot.isOver()),
      zoneCounts[slot.zone] ?? 0,
      distanceOf(work.facts.seed, slot.seed, slot.weight),
    ];
  };
  return replicas.map((replica) => ({ replica, rank: rank(replica) })).sort((a, b) => compareRanks(b.rank, a.rank) || (a.replica.node < b.replica.node ? -1 : 1))[0]!.replica;
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  const i = a.findIndex((value, at) => value !== b[at]);
  return i < 0 ? 0 : a[i]! - b[i]!;
}

/** Replicas until there are `count`, as far as there is room: those on disk become active, then come new ones. False when there was none. */
export function reach(board: Board, work: ChannelWork, count: number): boolean {
  const { target, isPinned } = work.facts;
  while (work.counted().length < count && activate(board, work));
  // Not even for as long as one leaves are there two.
  if (isPinned && work.replicas.length > 0) return work.counted().length >= count;
  while (work.counted().length < count && board.repairsLeft > 0) {
    const choice = board.choose(work, { need: target > 0 ? work.facts.need : NOTHING });
    if (!choice) return false;
    board.repairsLeft--;
    board.add(work, choice, `${work.counted().length} of ${work.wanted} replicas were placed`, { active: target > 0 });
  }
  return true;
}

/** Copies on disk beside the active replicas, until there are as many as there should be. */
export function keepSpares(board: Board, work: ChannelWork): void {
  const { target, copies, isPinned } = work.facts;
  while (target > 0 && !isPinned && work.ordinary().length < copies && board.repairsLeft > 0) {
    const choice = board.choose(work, { need: NOTHING });
    if (!choice) return;
    board.repairsLeft--;
    board.add(work, choice, `${work.ordinary().length} of ${copies} nodes had it`, { active: false });
  }
}

/** The best one on disk that has room: where fewest active ones are, on a node that keeps it, near by hash. False when there is none. */
function activate(board: Board, work: ChannelWork): boolean {
  const { facts } = work;
  const { keepers } = board.classOf(facts);
  const inZone = (zone: number): number => work.counted().filter(({ node }) => board.slot(node).zone === zone).length;
  const rank = (replica: Replica): number[] => {
    const slot = board.slot(replica.node);
    return [Number(!keepers.has(slot)), inZone(slot.zone), Number(!board.isReady(work, replica)), distanceOf(facts.seed, slot.seed, slot.weight)];
  };
  const [best] = work.spares()
    .filter(({ node }) => board.slot(node).fits(facts.need))
    .map((replica) => ({ replica, rank: rank(replica) }))
    .sort((a, b) => compareRanks(a.rank, b.rank) || (a.replica.node < b.replica.node ? -1 : 1));
  if (best) board.setActive(work, best.replica, true);
  return best !== undefined;
}

/** Those that a node refuses. */
export function misplaced(board: Board, work: ChannelWork): Replica[] {
  if (work.facts.isPinned) return [];
  const { keepers } = board.classOf(work.facts);
  return work.ordinary().filter((replica) => !keepers.has(board.slot(replica.node)) && !work.hasSuccessor(replica));
}

/**
 * A successor for each replica whose node refuses it; where there is no node for one, a copy on disk elsewhere becomes active in its stead, and it leaves
 * all the same if the others are enough.
 */
export function moveAway(board: Board, work: ChannelWork): void {
  for (const replica of misplaced(board, work)) {
    const { node, standing } = board.slot(replica.node);
    const why = refusalOf(node, standing, work.facts.channel)!.reason;
    if (move(board, work, replica, why)) continue;
    if (replica.active && board.mayMove()) handOver(board, work, replica);
    if (!board.mayMove() || !areEnough(board, work, work.ordinary().filter((other) => other !== replica))) return;
    board.leave(work, replica, `${why}; others are ready, and no node is left for one more`);
  }
}

/** The nearest copy on disk that can answer at once, on a node that keeps it and has room, becomes active instead of the replica. */
function handOver(board: Board, work: ChannelWork, replica: Replica): void {
  const { facts } = work;
  const { keepers } = board.classOf(facts);
  const distance = ({ node }: Replica): number => distanceOf(facts.seed, board.slot(node).seed, board.slot(node).weight);
  const [spare] = work.spares()
    .filter((other) => keepers.has(board.slot(other.node)) && board.isReady(work, other) && board.slot(other.node).fits(facts.need))
    .sort((a, b) => distance(a) - distance(b) || (a.node < b.node ? -1 : 1));
  if (!spare) return;
  board.setActive(work, spare, true);
  board.setActive(work, replica, false);
}

/** Whether the channel has at least what it must have when it has no replicas but these. */
function areEnough(board: Board, work: ChannelWork, replicas: readonly Replica[]): boolean {
  const { least, target } = work.facts;
  const { keepers } = board.classOf(work.facts);
  const good = replicas.filter((replica) => (replica.active || target === 0) && keepers.has(board.slot(replica.node)) && board.isReady(work, replica));
  return good.length >= Math.max(1, least);
}

/** Starts a move if it may be and there is room elsewhere; `why` it leaves. */
export function move(board: Board, work: ChannelWork, replica: Replica, why: string, mostInZone?: number): boolean {
  if (!board.mayMove()) return false;
  const choice = board.choose(work, { need: replica.active ? work.facts.need : NOTHING, instead: replica, ...(mostInZone !== undefined && { mostInZone }) });
  if (choice) board.add(work, choice, `takes over from ${replica.node} (${why})`, { active: replica.active, replaces: replica });
  return choice !== null;
}

/** How many replicas the fullest zone has, when a zone that could have one has at least two fewer. */
export function skew(board: Board, work: ChannelWork): number | undefined {
  if (work.facts.isPinned || work.replicas.length < 2) return undefined;
  const counts = board.zoneCounts(work);
  const count = Math.max(...counts);
  if (count < 2 || !board.classOf(work.facts).zones.some((zone) => counts[zone]! <= count - 2)) return undefined;
  return count;
}

/** Moves one replica out of the fullest zone; one at a time, so that each step is judged on what the last one made. */
export function spread(board: Board, work: ChannelWork): void {
  if (work.successors().length > 0) return;
  const count = skew(board, work);
  if (count === undefined) return;
  const counts = board.zoneCounts(work);
  const there = work.ordinary().filter(({ node }) => counts[board.slot(node).zone] === count);
  if (there.length > 0) move(board, work, worst(board, work, there), `its zone had ${count} replicas`, count - 2);
}

/** It lacks something that this pass could not give: it is looked at again in the next. */
export function isRestless(board: Board, work: ChannelWork): boolean {
  return work.counted().length !== work.wanted
    || work.ordinary().length !== work.facts.copies
    || work.replicas.some(({ leaving, replaces }) => leaving || replaces !== null)
    || (work.facts.target === 0 && work.ordinary().some(({ active }) => active))
    || misplaced(board, work).length > 0
    || skew(board, work) !== undefined;
}
