/**
 * Weighted rendezvous hashing ("highest random weight"; Thaler and Ravishankar, 1998; the weighted form as in Schindelhauer and Schomaker,
 * 2005): each pair of channel and node has a distance of its own, and the nearest suitable node is chosen. Without a shared table all
 * agree; a node that goes or comes changes only what it held or gets; nodes are chosen in proportion to their weights.
 */

/** 32 bits of a name (FNV-1a, then the finalizer of MurmurHash3, which FNV needs for names that differ at the end). */
export function seedOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return mix(hash);
}

/**
 * The distance between a channel and a node: exponentially distributed with the node's weight as its rate. `bound`: an answer above it may be
 * any number above it, which saves most of the logarithms.
 */
export function distanceOf(channelSeed: number, nodeSeed: number, weight: number, bound = Infinity): number {
  // In (0, 1), never 0.
  const uniform = ((mix(channelSeed ^ nodeSeed) >>> 0) + 0.5) / 2 ** 32;
  // -ln(u) >= 1 - u.
  const least = (1 - uniform) / weight;
  return least > bound ? least : -Math.log(uniform) / weight;
}

function mix(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
