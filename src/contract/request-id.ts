/**
 * The id of a request to an app says where it was answered, so that nobody has to keep it (docs/guides/operations.md):
 *
 *     w1-<ms since 1970>-<node>-<channel>-<version>-<component>-<number>
 *
 * All in base 36; node and channel as hashes of their names, the component as its place among those of the version. It is not signed: whoever makes one up
 * learns what he could have asked for.
 */
export interface RequestId {
  atMs: number;
  nodeHash: string;
  channelHash: string;
  version: number;
  /** Place in the locked app; null: the request went to none that it has. */
  component: number | null;
}

const FORMAT = /^w1-([0-9a-z]{6,10})-([0-9a-z]{1,7})-([0-9a-z]{1,7})-([0-9a-z]{1,7})-([0-9a-z]{1,4}|x)-[0-9a-z]{1,16}$/;

/** 32 bits of a name (FNV-1a), in base 36. */
export function nameHash(name: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(36);
}

/** The part between time and number, which many ids have in common. */
export function requestScope({ node, channel, version, component }: { node: string; channel: string; version: number; component: number | null }): string {
  return `${nameHash(node)}-${nameHash(channel)}-${version.toString(36)}-${component === null ? 'x' : component.toString(36)}`;
}

export function toRequestId(atMs: number, scope: string, number: number): string {
  return `w1-${atMs.toString(36)}-${scope}-${number.toString(36)}`;
}

/** undefined: it is none of these. */
export function parseRequestId(id: string): RequestId | undefined {
  const parts = FORMAT.exec(id);
  if (!parts) return undefined;
  const [, at, nodeHash, channelHash, version, component] = parts as unknown as [string, string, string, string, string, string];
  return { atMs: Number.parseInt(at, 36), nodeHash, channelHash, version: Number.parseInt(version, 36), component: component === 'x' ? null : Number.parseInt(component, 36) };
}
