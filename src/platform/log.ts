export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/** One JSON object a line on stderr: `at`, `level`, `process`, `message`, then the fields. */
export class Log {
  constructor(
    private readonly fields: Record<string, unknown>,
    private readonly level: LogLevel = 'info',
    private readonly write: (line: string) => void = (line) => process.stderr.write(line),
  ) {}

  with(fields: Record<string, unknown>): Log {
    return new Log({ ...this.fields, ...fields }, this.level, this.write);
  }

  debug(message: string, fields?: Record<string, unknown>): void { this.put('debug', message, fields); }
  info(message: string, fields?: Record<string, unknown>): void { this.put('info', message, fields); }
  warn(message: string, fields?: Record<string, unknown>): void { this.put('warn', message, fields); }
  error(message: string, fields?: Record<string, unknown>): void { this.put('error', message, fields); }

  private put(level: LogLevel, message: string, fields?: Record<string, unknown>): void {
    if (RANK[level] < RANK[this.level]) return;
    this.write(`${JSON.stringify({ at: new Date().toISOString(), level, ...this.fields, message, ...fields }, plainError)}\n`);
  }
}

function plainError(_key: string, value: unknown): unknown {
  if (value instanceof Error) return { name: value.name, message: value.message, stack: value.stack, ...(value.cause !== undefined && { cause: value.cause }) };
  return typeof value === 'bigint' ? value.toString() : value;
}
