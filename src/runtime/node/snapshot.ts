import { open, readFile, rename, rm } from 'node:fs/promises';
import { NodeAssignments } from '#contract/assignment.js';
import type { Log } from '#platform/log.js';

/**
 * The newest assignments, kept on disk: what the node starts from when the control plane is away. The file holds the values of secret
 * variables, so nobody else may read it.
 */
export class Snapshot {
  private writing: Promise<void> = Promise.resolve();

  constructor(private readonly path: string, private readonly log: Log) {}

  /** undefined when there is none, or none that can be read: then the control plane is asked for everything. */
  async load(): Promise<NodeAssignments | undefined> {
    try {
      return NodeAssignments.parse(JSON.parse(await readFile(this.path, 'utf8')));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.log.error('the snapshot is damaged and not used', { error });
      return undefined;
    }
  }

  /** Replaces the file as a whole, in the order of the calls. What the disk does not take is logged: the node serves all the same. */
  save(assignments: NodeAssignments): Promise<void> {
    this.writing = this.writing.then(() => this.write(JSON.stringify(assignments))).catch((error: unknown) => {
      this.log.error('the snapshot is not written', { error });
    });
    return this.writing;
  }

  private async write(text: string): Promise<void> {
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
  }
}
