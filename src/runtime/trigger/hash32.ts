/**
 * A hash of a text that spreads evenly over 32 bits: FNV-1a with the last mixing step of MurmurHash3. Not for secrets: who knows the text can find
 * others with the same hash. The same on every node and in every release: clients are put in order by it.
 */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
