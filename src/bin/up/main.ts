import { WhorlError } from '#contract/errors.js';
import { parseFlags, USAGE } from './flags.js';
import { Platform } from './platform.js';
import { Screen } from './screen.js';

/** npm passes a Ctrl-C on to processes that got it from the terminal already: one key must not count as two. */
const ECHO_MS = 1_000;

/** Starts everything, and returns when everything has stopped. The exit status is set: 1 when it could not start. */
export async function main(args: readonly string[]): Promise<void> {
  const screen = new Screen();
  // Whoever read our lines may be gone: that is no reason to die.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  const stop = new AbortController();
  const force = new AbortController();
  listen(screen, stop, force);
  try {
    const flags = parseFlags(args);
    if (flags.help) return screen.line(USAGE);
    const platform = new Platform(flags, screen);
    try {
      await platform.start(stop.signal);
      if (!stop.signal.aborted) {
        platform.welcome();
        screen.line('whorl ready');
        await new Promise((resolve) => stop.signal.addEventListener('abort', resolve, { once: true }));
      }
    } finally {
      await platform.stop(force.signal);
    }
    screen.line('stopped');
  } catch (error) {
    process.exitCode = 1;
    screen.warn(describe(error));
  } finally {
    if (process.connected) process.disconnect?.();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.removeAllListeners(signal);
  }
}

function listen(screen: Screen, stop: AbortController, force: AbortController): void {
  let firstMs: number | undefined;
  const onSignal = (): void => {
    if (firstMs === undefined) {
      firstMs = performance.now();
      screen.line('\nstopping (once more to force)');
      stop.abort();
    } else if (performance.now() - firstMs > ECHO_MS) force.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  // Started by a script that is gone: nobody else would stop us.
  process.once('disconnect', () => { if (firstMs === undefined) onSignal(); });
}

/** One line for what a user can mend; the whole story for a defect of ours. */
function describe(error: unknown): string {
  if (error instanceof WhorlError) return `${error.message}${error.message.includes('\n') ? '\n' : '. '}${error.entry.hint} [${error.code}]`;
  return `whorl up failed: ${error instanceof Error ? error.stack : String(error)}`;
}
