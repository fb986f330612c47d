import { perSlot, type Capability } from '../capability.js';

type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'critical';

/** What a person should look at goes where errors go. */
const TO_STDERR: ReadonlySet<Level> = new Set(['warn', 'error', 'critical']);

/** One message as lines of the log: its level and context first; what follows a line break is indented, so that no message looks like two. */
export function logLines(level: Level, context: string, message: string): string {
  const oneLine = context.replace(/[\r\n]+/g, ' ');
  return `${level.toUpperCase()}${oneLine === '' ? '' : ` [${oneLine}]`} ${message.replace(/\r?\n|\r/g, '\n  ')}\n`;
}

/** `wasi:logging/logging`: into the log of the invocation, within the limits of its output. */
export const LOGGING: Capability = {
  name: 'wasi:logging/logging',
  version: '0.1.0-draft',
  functions: {
    log: perSlot((state) => (level: Level, context: string, message: string) =>
      state.invocation.write(TO_STDERR.has(level) ? 'stderr' : 'stdout', Buffer.from(logLines(level, context, message)))),
  },
};
