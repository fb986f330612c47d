import type { NodeSlot } from './node-slot.js';
import { distanceOf } from './rendezvous.js';
import type { Resources } from './resources.js';

export interface Search {
  candidates: readonly NodeSlot[];
  /** Preferred rules that each candidate meets; null: there are none. */
  preferences: readonly number[] | null;
  channelSeed: number;
  need: Resources;
  /** Replicas of the channel by zone. */
  zoneCounts: readonly number[];
  /** Zones that have more are not looked at. */
  mostInZone: number;
  taken: readonly NodeSlot[];
  highWater: number;
}

/**
 * The best node with room: in the zone with the fewest replicas of the channel, then the most preferred, then one that stays below the
 * high-water mark, then the nearest by rendezvous hashing. Null when none has room.
 */
export function chooseNode({ candidates, preferences, channelSeed, need, zoneCounts, mostInZone, taken, highWater }: Search): NodeSlot | null {
  let best: NodeSlot | null = null;
  let bestZone = mostInZone;
  let bestPreference = -1;
  let bestIsHigh = true;
  let bestDistance = Infinity;
  for (let i = 0; i < candidates.length; i++) {
    const slot = candidates[i]!;
    const zone = zoneCounts[slot.zone]!;
    if (zone > bestZone) continue;
    const preference = preferences ? preferences[i]! : 0;
    const isEqual = zone === bestZone && preference === bestPreference;
    if (zone === bestZone && preference < bestPreference) continue;
    // Most are farther than the best so far, and need no look at their room.
    const isFarBound = isEqual && !bestIsHigh ? bestDistance : Infinity;
    const distance = distanceOf(channelSeed, slot.seed, slot.weight, isFarBound);
    if (distance > isFarBound || !slot.fits(need) || taken.includes(slot)) continue;
    const isHigh = slot.fillWith(need) > highWater;
    if (best && isEqual && (isHigh === bestIsHigh ? !isNearer(distance, slot, bestDistance, best) : isHigh)) continue;
    best = slot;
    bestZone = zone;
    bestPreference = preference;
    bestIsHigh = isHigh;
    bestDistance = distance;
  }
  return best;
}

/** Names decide between equal distances, so that the order of the nodes never does. */
function isNearer(distance: number, slot: NodeSlot, bestDistance: number, best: NodeSlot): boolean {
  return distance < bestDistance || (distance === bestDistance && slot.name < best.name);
}
