import { appendFileSync, renameSync, statSync } from 'node:fs';

const MAX_BYTES = 16 * 1024 * 1024;
const TAIL_LINES = 20;

/** A process's log on disk: at most two files of MAX_BYTES. Remembers the last lines, to show them when the process dies. */
export class LogFile {
  private readonly tailLines: string[] = [];
  private rest = '';
  private bytes: number;

  constructor(private readonly path: string, private readonly onLine: (line: string) => void) {
    this.bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  }

  get tail(): string {
    return this.tailLines.join('\n');
  }

  /** Takes output as it comes; lines are kept whole. */
  write(text: string): void {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines) {
      this.tailLines.push(line);
      if (this.tailLines.length > TAIL_LINES) this.tailLines.shift();
      this.onLine(line);
    }
    if (lines.length > 0) this.append(`${lines.join('\n')}\n`);
  }

  private append(text: string): void {
    if (this.bytes > MAX_BYTES) {
      renameSync(this.path, `${this.path}.1`);
      this.bytes = 0;
    }
    appendFileSync(this.path, text, { mode: 0o600 });
    this.bytes += Buffer.byteLength(text);
  }
}
