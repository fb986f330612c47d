import { open, readFile, rename, rm } from 'node:fs/promises';
import { z } from 'zod';
import { Assignment, type NodeAssignments } from '#contract/assignment.js';
import { Digest } from '#contract/ids.js';
import type { Log } from '#platform/log.js';
import { toKey } from './app-lane.js';

/** One line of the file. What stands between two revisions came with the second one. */
const Line = z.union([
  z.strictObject({ assignment: Assignment }),
  z.strictObject({ gone: z.string() }),
  z.strictObject({ revision: z.string() }),
  /** An artifact that was prepared, and by which release. */
  z.strictObject({ proved: Digest, by: z.string() }),
]);
type Line = z.infer<typeof Line>;

/** The file is written anew when so much was added to it, and as much as it had then. */
const COMPACT_AFTER_BYTES = 1024 * 1024;

/**
 * The newest assignments and which artifacts were prepared, kept on disk: what the node starts from when the control plane is away. A
 * file of lines of JSON; a change adds its lines, whatever the number of apps. It holds the values of secret variables, so nobody else
 * may read it.
 */
export class Snapshot {
  private held = new Map<string, Assignment>();
  private revision: string | undefined;
  private readonly proofs = new Set<Digest>();
  private pending: Line[] = [];
  private writing: Promise<void> = Promise.resolve();
  /** What is in the file can be added to. */
  private isWhole = false;
  private bytes = 0;
  private wholeBytes = 0;

  /** @param release proofs of another one count for nothing: it may compile otherwise, or give guests less */
  constructor(private readonly path: string, private readonly release: string, private readonly log: Log) {}

  /** undefined when there is none, or none that can be read: then the control plane is asked for everything. */
  async load(): Promise<NodeAssignments | undefined> {
    try {
      const text = await readFile(this.path, 'utf8');
      // What follows the last line end was being written when the process ended.
      const end = text.lastIndexOf('\n') + 1;
      this.take(text.slice(0, end).split('\n').slice(0, -1).map((line) => Line.parse(JSON.parse(line))));
      if (this.revision === undefined) throw new Error('no revision is complete');
      this.isWhole = end === text.length;
      this.bytes = this.wholeBytes = Buffer.byteLength(text);
      return { revision: this.revision, assignments: [...this.held.values()] };
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
    const next = new Map(assignments.map((assignment) => [toKey(assignment), assignment]));
    const changed = assignments.filter((assignment) => this.held.get(toKey(assignment)) !== assignment).map((assignment) => ({ assignment }));
    const gone = [...this.held.keys()].filter((key) => !next.has(key)).map((key) => ({ gone: key }));
    this.held = next;
    this.revision = revision;
    return this.add([...changed, ...gone, { revision }]);
  }

  /** @param keep digests of all artifacts that are assigned; proofs of others are forgotten at the next occasion */
  forgetProofs(keep: ReadonlySet<Digest>): void {
    for (const artifact of this.proofs) if (!keep.has(artifact)) this.proofs.delete(artifact);
  }

  private take(lines: Line[]): void {
    let begun: Line[] = [];
    for (const line of lines) {
      if ('proved' in line) {
        if (line.by === this.release) this.proofs.add(line.proved);
      } else if ('revision' in line) {
        this.revision = line.revision;
        for (const change of begun) this.apply(change);
        begun = [];
      } else {
        begun.push(line);
      }
    }
  }

  private apply(change: Line): void {
    if ('assignment' in change) this.held.set(toKey(change.assignment), change.assignment);
    else if ('gone' in change) this.held.delete(change.gone);
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
    const assignments = [...this.held.values()].map((assignment) => ({ assignment }));
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

function toText(lines: readonly Line[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}
