import { Ending } from '#runtime/capability/ending.js';
import type { Invocation } from '#runtime/capability/guest.js';

/** Start code may not wait for long: it runs when the slot is made, for nobody in particular. */
const START_WALL_MS = 10_000;

/** What a slot is at between invocations: its start code runs under it. */
export class IdleInvocation implements Invocation {
  readonly requestId = 'start';
  readonly stdin = null;
  readonly stdout = null;
  readonly args = [];
  readonly environment = [];
  readonly ending = new Ending();

  constructor(private readonly output: ((stream: 'stdout' | 'stderr' | 'platform', text: string) => void) | null) {}

  get deadlineAt(): number {
    return Date.now() + START_WALL_MS;
  }

  write(stream: 'stdout' | 'stderr', bytes: Uint8Array): void {
    this.output?.(stream, Buffer.from(bytes).toString('utf8'));
  }

  note(line: string): void {
    this.output?.('platform', line);
  }

  chain(): void {
    throw new Error('a component cannot call another one before its first invocation');
  }
}
