import { open, readFile, rename, rm } from 'node:fs/promises';
import { z } from 'zod';
import type { Assignment, NodeAssignments } from '#contract/assignment.js';
import { Digest } from '#contract/ids.js';
import type { Signature } from '#contract/statement.js';
import type { Log } from '#platform/log.js';
import { type AppKey, toKey } from './app-lane.js';
import { SignedAssignment, type Statements } from './statements.js';

/** One line of the file. What stands between two revisions came with the second one. */
const Line = z.union([
  SignedAssignment,
  z.strictObject({ gone: z.string() }),
  z.strictObject({ revision: z.string() }),
  /** An artifact that was prepared, and by which release. */
  z.strictObject({ proved: Digest, by: z.string() }),
]);
type Line = z.infer<typeof Line>;

/** What is asked for with it is everything: no control plane gives this revision. */
const NO_REVISION = '';

/** The file is written anew when so much was added to it, and as much as it had then. */
const COMPACT_AFTER_BYTES = 1024 * 1024;

/**
 * The newest assignments and which artifacts were prepared, kept on disk: what the node starts from when the control plane is away. A
 * file of lines of JSON; a change adds its lines, whatever the number of apps. Each assignment is kept as it was signed, and counts on its
 * own: what is damaged or was changed is left out, named, and asked for again. It holds the values of secret variables, so nobody else
 * may read it.
 */
export class Snapshot {
  private held = new Map<string, Kept>();
  private revision: string | undefined;
  private readonly proofs = new Set<Digest>();
  private pending: Line[] = [];
  private writing: Promise<void> = Promise.resolve();
  /** What is in the file can be added to. */
  private isWhole = false;
  private bytes = 0;
  private wholeBytes = 0;

  /** @param release proofs of another one count for nothing: it may compile otherwise, or give guests less */
  constructor(private readonly path: string, private readonly release: string, private readonly statements: Statements, private readonly log: Log) {}

  /** undefined when there is none, or nothing in it counts: then the control plane is asked for everything. */
  async load(): Promise<NodeAssignments | undefined> {
    try {
      const text = await readFile(this.path, 'utf8');
      // What follows the last line end was being written when the process ended.
      const end = text.lastIndexOf('\n') + 1;
      const { lines, damaged } = toLines(text.slice(0, end));
      const candidates = this.take(lines);
      if (this.revision === undefined) throw new Error('no revision is complete');
      const refused = await this.choose(candidates);
      if (damaged + refused > 0 && this.held.size === 0) throw new Error('nothing in it counts');
      if (damaged + refused > 0) {
        this.log.error('parts of the snapshot are left out; the control plane is asked for them', { damaged, refused });
        this.revision = NO_REVISION;
      }
      this.isWhole = end === text.length && damaged + refused === 0;
      this.bytes = this.wholeBytes = Buffer.byteLength(text);
      return { revision: this.revision, assignments: [...this.held.values()].map(({ assignment }) => assignment) };
    } catch (error) {
      this.held.clear();
      this.proofs.clear();
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.log.error('the snapshot is damaged and not used', { error });
      return undefined;
    }
  }

  /** Whether the artifact was prepared on this node, by this release. */
  isProved(artifact: Digest): boolean {
    return this.proofs.has(artifact);
  }

  /** Notes that the artifact was prepared. */
  prove(artifact: Digest): Promise<void> {
    if (this.proofs.has(artifact)) return this.writing;
    this.proofs.add(artifact);
    return this.add([{ proved: artifact, by: this.release }]);
  }

  /** Takes back that it was: it could not be loaded. */
  disprove(artifact: Digest): void {
    // The file is not to say so at the next start either.
    if (this.proofs.delete(artifact)) this.isWhole = false;
  }

  /**
   * Writes what has changed since the last call, in the order of the calls; assignments are compared by identity. What the disk does not
   * take is logged: the node serves all the same.
   */
  save({ revision, assignments }: NodeAssignments): Promise<void> {
    const next = new Map(assignments.map((assignment) => [toKey(assignment), this.keep(assignment)]));
    const changed = [...next].filter(([key, { assignment, signature }]) => {
      const before = this.held.get(key);
      return before?.assignment !== assignment || before.signature !== signature;
    }).map(([, { assignment }]) => this.statements.write(assignment));
    const gone = [...this.held.keys()].filter((key) => !next.has(key)).map((key) => ({ gone: key }));
    this.held = next;
    this.revision = revision;
    return this.add([...changed, ...gone, { revision }]);
  }

  /** @param keep digests of all artifacts that are assigned; proofs of others are forgotten at the next occasion */
  forgetProofs(keep: ReadonlySet<Digest>): void {
    for (const artifact of this.proofs) if (!keep.has(artifact)) this.proofs.delete(artifact);
  }

  /** By channel, what the lines up to the last revision say of it, in their order. */
  private take(lines: readonly Line[]): Map<string, SignedAssignment[]> {
    const candidates = new Map<string, SignedAssignment[]>();
    let begun: Exclude<Line, { revision: string } | { proved: unknown }>[] = [];
    for (const line of lines) {
      if ('proved' in line) {
        if (line.by === this.release) this.proofs.add(line.proved);
      } else if ('revision' in line) {
        this.revision = line.revision;
        for (const change of begun) apply(candidates, change);
        begun = [];
      } else {
        begun.push(line);
      }
    }
    return candidates;
  }

  /** Takes of each channel the newest that was signed. Answers how many channels have none, or an older one than there was. */
  private async choose(candidates: ReadonlyMap<string, SignedAssignment[]>): Promise<number> {
    const chosen = await Promise.all([...candidates].map(async ([key, signed]) => {
      let refused = 0;
      for (const each of newestFirst(signed)) {
        try {
          return { key, refused, assignment: await this.statements.read(each) };
        } catch (error) {
          refused = 1;
          this.log.error('an assignment in the snapshot is not served', { channel: key, reason: (error as Error).message });
        }
      }
      return { key, refused };
    }));
    for (const { key, assignment } of chosen) if (assignment) this.held.set(key, this.keep(assignment));
    return chosen.reduce((sum, { refused }) => sum + refused, 0);
  }

  private keep(assignment: Assignment): Kept {
    return { assignment, signature: this.statements.signatureOf(assignment) };
  }

  private add(lines: Line[]): Promise<void> {
    this.pending.push(...lines);
    this.writing = this.writing.then(() => this.write()).catch((error: unknown) => {
      this.isWhole = false;
      this.log.error('the snapshot is not written', { error });
    });
    return this.writing;
  }

  /** Everything that is pending: whoever comes later finds it done. */
  private async write(): Promise<void> {
    if (this.pending.length === 0) return;
    const lines = this.pending;
    this.pending = [];
    const text = toText(lines);
    if (this.isWhole && this.bytes + text.length <= 2 * this.wholeBytes + COMPACT_AFTER_BYTES) await this.append(text);
    // Before the first revision there is nothing to start from.
    else if (this.revision !== undefined) await this.replace();
  }

  private async append(text: string): Promise<void> {
    const file = await open(this.path, 'a', 0o600);
    try {
      await file.appendFile(text);
      await file.datasync();
    } finally {
      await file.close();
    }
    this.bytes += Buffer.byteLength(text);
  }

  private async replace(): Promise<void> {
    const assignments = [...this.held.values()].map(({ assignment }) => this.statements.write(assignment));
    const proofs = [...this.proofs].map((proved) => ({ proved, by: this.release }));
    const text = toText([...assignments, ...proofs, { revision: this.revision! }]);
    // What is added from here on comes after it.
    this.isWhole = true;
    const next = `${this.path}.next`;
    await rm(next, { force: true });
    const file = await open(next, 'wx', 0o600);
    try {
      await file.writeFile(text);
      // A file of the right name and no content would be worse than the one before.
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(next, this.path);
    this.bytes = this.wholeBytes = Buffer.byteLength(text);
  }
}

interface Kept {
  assignment: Assignment;
  signature: Signature | undefined;
}

/** What can be read of a text of whole lines. */
function toLines(text: string): { lines: Line[]; damaged: number } {
  const lines: Line[] = [];
  let damaged = 0;
  for (const each of text.split('\n').slice(0, -1)) {
    try {
      lines.push(Line.parse(JSON.parse(each)));
    } catch {
      damaged++;
    }
  }
  return { lines, damaged };
}

function apply(candidates: Map<string, SignedAssignment[]>, change: SignedAssignment | { gone: string }): void {
  if ('gone' in change) return void candidates.delete(change.gone);
  const { app, channel } = (change.assignment ?? {}) as Partial<AppKey>;
  const key = `${String(app)}/${String(channel)}`;
  const signed = candidates.get(key);
  if (signed) signed.push(change);
  else candidates.set(key, [change]);
}

/** By generation, then by values, then by place: an older one that was put after a newer one stays older. */
function newestFirst(signed: readonly SignedAssignment[]): SignedAssignment[] {
  const numberOf = (value: unknown): number => (typeof value === 'number' ? value : -1);
  const order = ({ assignment }: SignedAssignment): [number, number] => {
    const { generation, variablesRevision } = (assignment ?? {}) as Partial<Assignment>;
    return [numberOf(generation), numberOf(variablesRevision)];
  };
  return signed.map((each, place) => ({ each, place, order: order(each) }))
    .sort((a, b) => b.order[0] - a.order[0] || b.order[1] - a.order[1] || b.place - a.place)
    .map(({ each }) => each);
}

function toText(lines: readonly Line[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}
