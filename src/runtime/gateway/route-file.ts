import { appendFileSync, closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { RouteChanges } from '#contract/routes.js';
import type { Log } from '#platform/log.js';
import { RouteTable } from './route-table.js';

/** One line of the file, in the order of what happened. */
const Line = z.union([z.strictObject({ changes: RouteChanges }), z.strictObject({ floor: z.tuple([z.string(), z.int()]) })]);
type Line = z.infer<typeof Line>;

/** The file is written anew when so much was added to it, and as much as it had then. */
const COMPACT_AFTER_BYTES = 1024 * 1024;

/**
 * The route table on disk: what a gateway starts from when the control plane is away. A file of lines of JSON. What somebody was answered by
 * is in the file before the answer leaves (the system has it; it is not forced to the disk): a gateway that is killed does not go back.
 */
export class RouteFile {
  private bytes = 0;
  private wholeBytes = 0;
  private isFailing = false;

  constructor(private readonly path: string, private readonly table: RouteTable, private readonly log: Log) {}

  /** Fills the table with what the file holds; of a damaged one, nothing. */
  load(): void {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.log.error('the route table on disk cannot be read', { error });
      return;
    }
    try {
      // What follows the last line end was being written when the process ended.
      const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n').slice(0, -1).map((line) => Line.parse(JSON.parse(line)));
      for (const line of lines) this.take(line);
    } catch (error) {
      this.log.error('the route table on disk is damaged and not used', { error });
    }
    this.compact();
  }

  /** Takes up changes, in the table and on disk. */
  apply(changes: RouteChanges): void {
    this.table.apply(changes);
    if (changes.isWhole) this.compact();
    else this.add({ changes });
  }

  /** Somebody is about to be answered by this generation. */
  raise(route: { app: string; channel: string }, generation: number): void {
    if (this.table.raise(route as Parameters<RouteTable['raise']>[0], generation)) this.add({ floor: [`${route.app}/${route.channel}`, generation] });
  }

  private take(line: Line): void {
    if ('changes' in line) return this.table.apply(line.changes);
    const [key, generation] = line.floor;
    const [app, channel] = key.split('/') as [string, string];
    this.table.raise({ app, channel } as Parameters<RouteTable['raise']>[0], generation);
  }

  private add(line: Line): void {
    if (this.bytes > 2 * this.wholeBytes + COMPACT_AFTER_BYTES) return this.compact();
    this.guarded(() => {
      const text = `${JSON.stringify(line)}\n`;
      appendFileSync(this.path, text, { mode: 0o600 });
      this.bytes += text.length;
    });
  }

  private compact(): void {
    if (this.table.revision === null) return;
    this.guarded(() => {
      const lines: Line[] = [{ changes: this.table.whole() }, ...Array.from(this.table.allFloors(), (floor): Line => ({ floor }))];
      const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
      const next = `${this.path}.next`;
      const file = openSync(next, 'w', 0o600);
      try {
        writeFileSync(file, text);
        // A file of the right name and no content would be worse than the one before.
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(next, this.path);
      this.bytes = this.wholeBytes = text.length;
    });
  }

  /** What the disk does not take is logged: the gateway answers all the same. */
  private guarded(write: () => void): void {
    try {
      write();
      this.isFailing = false;
    } catch (error) {
      if (!this.isFailing) this.log.error('the route table is not written', { error });
      this.isFailing = true;
    }
  }
}
