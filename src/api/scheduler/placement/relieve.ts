import type { Board } from './board.js';
import type { ChannelFacts, ChannelWork } from './channel-work.js';
import type { NodeSlot, Outlook } from './node-slot.js';
import type { Replica } from './placement.js';
import { NOTHING, plus } from './resources.js';
import { move } from './settle-channel.js';

interface Victim {
  work: ChannelWork;
  replica: Replica;
}

/** Takes replicas off a node that has more than fits, since apps have grown or the node has shrunk. */
export function relieve(board: Board, slot: NodeSlot): void {
  let over = overOf(board, slot);
  const victims = victimsOn(board, slot).reverse();
  while (over > 0 && victims.length > 0) {
    // The smallest that is enough, else the largest.
    const at = victims.findIndex(({ work }) => shareOf(slot, work) >= over);
    const [{ work, replica }] = victims.splice(at < 0 ? victims.length - 1 : at, 1) as [Victim];
    if (isExtra(board, work, replica)) board.leave(work, replica, `${slot.name} had more than fits, and ${work.facts.least} replicas are enough`);
    else if (!move(board, work, replica, 'more than fits was there')) continue;
    over = overOf(board, slot);
  }
}

/** Replicas on the node that may go, the largest first: not pinned, active, and not on the way already. `isMeant`: of these channels alone. */
export function victimsOn(board: Board, slot: NodeSlot, isMeant: (facts: ChannelFacts) => boolean = () => true): Victim[] {
  return [...slot.held].flatMap((key) => {
    const facts = board.facts.get(key);
    if (!facts || facts.isPinned || !isMeant(facts)) return [];
    const work = board.work(key);
    const replica = work.ordinary().find(({ node, active }) => node === slot.name && active);
    return replica && !work.hasSuccessor(replica) ? [{ work, replica }] : [];
  }).sort((a, b) => a.work.facts.compare(b.work.facts));
}

/** What may become free on the node. Kept until something about its channels changes. */
export function outlookOf(board: Board, slot: NodeSlot): Outlook {
  if (slot.outlook) return slot.outlook;
  const outlook = { going: NOTHING, extra: NOTHING, largest: { ...NOTHING } };
  for (const key of slot.held) {
    const facts = board.facts.get(key);
    if (!facts) continue;
    if (!facts.isPinned) {
      outlook.largest.memoryBytes = Math.max(outlook.largest.memoryBytes, facts.need.memoryBytes);
      outlook.largest.milliCores = Math.max(outlook.largest.milliCores, facts.need.milliCores);
    }
    if (isSettled(board, facts)) continue;
    const work = board.work(key);
    const replica = work.replicas.find(({ node }) => node === slot.name);
    if (!replica?.active) continue;
    if (replica.leaving || work.hasSuccessor(replica)) outlook.going = plus(outlook.going, work.facts.need);
    else if (replica.replaces === null && !work.facts.isPinned && isExtra(board, work, replica)) outlook.extra = plus(outlook.extra, work.facts.need);
  }
  return (slot.outlook = outlook);
}

/** Nothing of it is about to go, and it has no more than it must have, or is on disk only: true of most, and cheaper to see than the rest. */
function isSettled(board: Board, { channel: { key }, least }: ChannelFacts): boolean {
  const replicas = board.works.get(key)?.replicas ?? board.entries.get(key)?.replicas ?? [];
  if (replicas.every(({ active }) => !active)) return true;
  return replicas.length <= least && replicas.every(({ leaving, replaces }) => !leaving && replaces === null);
}

/** Without it there are still as many as there must be, and as many that answer. */
export function isExtra(board: Board, work: ChannelWork, replica: Replica): boolean {
  const others = work.counted().filter((each) => each !== replica);
  const { least } = work.facts;
  return others.length >= least && (!board.isReady(work, replica) || others.filter((each) => board.isReady(work, each)).length >= least);
}

function overOf(board: Board, slot: NodeSlot): number {
  const { going } = outlookOf(board, slot);
  return Math.max(
    (slot.usedMemoryBytes - going.memoryBytes - slot.memoryBytes) / Math.max(slot.memoryBytes, 1),
    (slot.usedMilliCores - going.milliCores - slot.milliCores) / Math.max(slot.milliCores, 1),
  );
}

function shareOf(slot: NodeSlot, { facts: { need } }: ChannelWork): number {
  return Math.max(need.memoryBytes / Math.max(slot.memoryBytes, 1), need.milliCores / Math.max(slot.milliCores, 1));
}
