import { mkdirSync } from 'node:fs';
import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * How often this node was started, kept in a file: what it says is put in order by it. A node whose disk was lost begins at 1 again, learns which
 * start is known of it, and goes on from there.
 */
export class StartCount {
  private constructor(private readonly path: string, private current: number) {}

  /** Counts this start. Throws when the disk does not take it. */
  static async next(path: string): Promise<StartCount> {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    const before = Number.parseInt(text, 10);
    const count = new StartCount(path, 0);
    await count.set(Number.isSafeInteger(before) && before > 0 ? before + 1 : 1);
    return count;
  }

  get value(): number {
    return this.current;
  }

  /** Makes this start a later one than `known`. */
  async raiseAbove(known: number): Promise<void> {
    if (this.current <= known) await this.set(known + 1);
  }

  private async set(value: number): Promise<void> {
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
    const next = `${this.path}.next`;
    const file = await open(next, 'w', 0o600);
    try {
      await file.writeFile(`${value}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(next, this.path);
    this.current = value;
  }
}
