import type { NodeName } from '#contract/ids.js';

/** A node that may have the channel, as it looks at the moment. */
export interface Candidate {
  node: NodeName;
  /** That it has switched to, as far as is known. */
  generation: number;
  /** It is to let go of the channel. */
  isLeaving: boolean;
  /** Nothing was heard of it lately. */
  isLost: boolean;
  /** It has just refused a connection. */
  isOut: boolean;
  /** Requests that it has, as far as is known. */
  load: number;
}

/** A node that may have to switch first counts as so much busier. */
const BEHIND_LOAD = 8;

/**
 * The less loaded of two at random, among the best there are: those that are to keep the channel before those that leave it, and both before
 * those that may not answer. Pure but for `random`. undefined: there is none.
 * @param floor the generation that has to answer
 */
export function chooseNode(candidates: readonly Candidate[], floor: number, random: () => number): Candidate | undefined {
  const best = Math.min(...candidates.map(rankOf));
  const among = candidates.filter((candidate) => rankOf(candidate) === best);
  if (among.length <= 1) return among[0];
  const first = Math.floor(random() * among.length);
  const second = Math.floor(random() * (among.length - 1));
  const [one, other] = [among[first]!, among[second >= first ? second + 1 : second]!];
  return loadOf(other, floor) < loadOf(one, floor) ? other : one;
}

function rankOf({ isLeaving, isLost, isOut }: Candidate): number {
  return (isLost || isOut ? 2 : 0) + (isLeaving ? 1 : 0);
}

function loadOf({ load, generation }: Candidate, floor: number): number {
  return load + (generation < floor ? BEHIND_LOAD : 0);
}
