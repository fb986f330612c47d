import type { Board } from './board.js';
import type { ChannelFacts, ChannelWork } from './channel-work.js';
import type { NodeSlot } from './node-slot.js';
import type { Replica } from './placement.js';
import { isExtra, outlookOf, victimsOn } from './relieve.js';
import { plus, type Resources } from './resources.js';
import { move } from './settle-channel.js';

/** Smaller replicas for which another node is looked for, in one pass for one channel: each look is at all nodes. */
const DISPLACE_TRIES = 64;

interface Plan {
  leaving: { work: ChannelWork; replica: Replica }[];
}

/**
 * For a channel that has fewer replicas than it must have, while no node has room: others' replicas beyond what those must have go, on the
 * node where the fewest have to; else, with `mayDisplace`, one smaller replica moves to where it fits. The room is taken in a later pass, when
 * the node has let go.
 */
export function makeRoom(board: Board, work: ChannelWork, mayDisplace: boolean): void {
  const { need } = work.facts;
  const slots = slotsFor(board, work);
  // What leaves already is enough somewhere.
  if (slots.some((slot) => fits(plus(slot.free(), outlookOf(board, slot).going), need))) return;
  const [best] = slots.flatMap((slot) => planOn(board, slot, need) ?? []).sort((a, b) => a.leaving.length - b.leaving.length);
  if (best) {
    for (const { work: other, replica } of best.leaving) {
      board.leave(other, replica, `makes room for ${work.facts.channel.name}, which has fewer than it must have`);
    }
    return;
  }
  if (mayDisplace) displace(board, work, slots);
}

/** Where it could be if there were room, first where it is on disk; the nodes where it is active already, or from where it leaves, are none. */
function slotsFor(board: Board, work: ChannelWork): NodeSlot[] {
  const home = board.homeOf(work);
  const { candidates, keepers } = board.classOf(work.facts);
  const onDisk = work.ordinary().filter(({ active }) => !active).map(({ node }) => board.slot(node)).filter((slot) => keepers.has(slot));
  const isHere = (slot: NodeSlot): boolean => work.replicas.some(({ node }) => node === slot.name);
  const slots = [...onDisk, ...candidates.filter((slot) => !isHere(slot))];
  return home === undefined ? slots : slots.filter(({ name }) => name === home);
}

function planOn(board: Board, slot: NodeSlot, need: Resources): Plan | undefined {
  const { going, extra } = outlookOf(board, slot);
  let free = plus(slot.free(), going);
  if (!fits(plus(free, extra), need)) return undefined;
  const leaving: Plan['leaving'] = [];
  const extras = victimsOn(board, slot).filter(({ work, replica }) => isExtra(board, work, replica));
  for (const victim of extras) {
    if (fits(free, need)) break;
    leaving.push(victim);
    free = plus(free, victim.work.facts.need);
  }
  return fits(free, need) ? { leaving } : undefined;
}

/** Only what is smaller moves for what is larger, so that two never take each other's place in turn. */
function displace(board: Board, work: ChannelWork, slots: readonly NodeSlot[]): void {
  let tries = 0;
  for (const slot of slots) {
    const { going, largest } = outlookOf(board, slot);
    const free = plus(slot.free(), going);
    if (!fits(plus(free, largest), work.facts.need)) continue;
    const isEnough = ({ size, need }: ChannelFacts): boolean => size < work.facts.size && fits(plus(free, need), work.facts.need);
    for (const { work: other, replica } of victimsOn(board, slot, isEnough)) {
      if (!board.mayMove() || ++tries > DISPLACE_TRIES) return;
      if (move(board, other, replica, `to make room for ${work.facts.channel.name}`)) return;
    }
  }
}

function fits(free: Resources, need: Resources): boolean {
  return (need.memoryBytes === 0 || free.memoryBytes >= need.memoryBytes) && (need.milliCores === 0 || free.milliCores >= need.milliCores);
}
