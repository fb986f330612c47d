import { createHash } from 'node:crypto';
import { Digest } from '../ids.js';
import type { Problems } from './problems.js';
import type { RawContent } from './schema-locked.js';
import type { TomlPath } from './toml.js';

/** Bytes that a locked app names. */
export interface LockedContent {
  digest: Digest;
  /** Where it is named first. */
  at: TomlPath;
  /** The bytes, when they stand in the locked app itself. */
  inline?: Buffer;
}

/** Collects the bytes that a locked app names, each digest once. */
export class LockedContents {
  private readonly found = new Map<Digest, LockedContent>();

  constructor(private readonly problems: Problems) {}

  get all(): LockedContent[] {
    return [...this.found.values()];
  }

  /** The digest of what is named; `''` when it is refused. */
  add({ source, inline, digest: named }: RawContent, at: TomlPath): string {
    const digest = this.digestOf(named, at);
    if (digest === null) return '';
    const bytes = typeof inline === 'string' ? this.decode(inline, [...at, 'inline']) : undefined;
    if (bytes === null) return '';
    if (bytes === undefined && digest === undefined) {
      this.problems.invalid(at, source ? `${JSON.stringify(source)} is a place on the machine that pushed; push with \`spin registry push\`, which gives each a digest` : 'needs a digest, or its bytes inline');
      return '';
    }
    const actual = bytes && Digest.parse(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
    if (actual && digest && actual !== digest) {
      this.problems.invalid([...at, 'inline'], `these bytes are ${actual}, not ${digest}`);
      return '';
    }
    const known = (digest ?? actual)!;
    if (!this.found.get(known)?.inline) this.found.set(known, { digest: known, at: this.found.get(known)?.at ?? at, ...(bytes && { inline: bytes }) });
    return known;
  }

  /** undefined: there is none; null: it is none. */
  private digestOf(named: string | null | undefined, at: TomlPath): Digest | undefined | null {
    if (named === undefined || named === null) return undefined;
    const digest = Digest.safeParse(named);
    if (digest.success) return digest.data;
    this.problems.invalid([...at, 'digest'], `${JSON.stringify(named.slice(0, 200))}: expected sha256:<64 hex digits>`);
    return null;
  }

  /** Spin writes base64 without padding (RFC 4648 §4); what others write with it is taken too. */
  private decode(text: string, at: TomlPath): Buffer | null {
    const bare = text.replace(/={1,2}$/, '');
    const bytes = Buffer.from(bare, 'base64');
    if (bytes.toString('base64').replace(/=+$/, '') === bare) return bytes;
    this.problems.invalid(at, 'is no base64');
    return null;
  }
}
