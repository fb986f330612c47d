import { z } from 'zod';

/** The lines of Log that are worth a place on the terminal. */
const Severe = z.object({ level: z.literal('error'), message: z.string() });

/** What the user reads in the terminal. The processes' own logs go to files. */
export class Screen {
  constructor(
    private readonly out: (text: string) => void = (text) => void process.stdout.write(text),
    private readonly err: (text: string) => void = (text) => void process.stderr.write(text),
  ) {}

  line(text = ''): void {
    this.out(`${text}\n`);
  }

  /** `name    what`, names one below the other. */
  item(name: string, what: string): void {
    this.line(`  ${name.padEnd(14)} ${what}`);
  }

  warn(text: string): void {
    this.err(`${text}\n`);
  }

  childLine(name: string, line: string): void {
    if (!line.includes('"error"')) return;
    try {
      const severe = Severe.safeParse(JSON.parse(line));
      if (severe.success) this.warn(`${name}: ${severe.data.message}`);
    } catch {
      // Not a line of Log: it is in the file.
    }
  }
}
