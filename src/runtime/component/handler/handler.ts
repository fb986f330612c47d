import type { HandlerKind } from '#contract/artifact.js';
import type { HttpExecutor } from '#contract/bundle/locked-app.js';
import type { ErrorCode } from '#contract/errors.js';
import type { CallEvents } from '#engine/run/slot.js';
import type { ByteSink, ByteSource } from '#runtime/capability/guest.js';
import type { MeteredExchange } from '../metered-exchange.js';
import type { GuestSlot } from '../guest-pool.js';

/** What an invocation has on top of the component's grant. */
export interface InvocationIo {
  stdin: ByteSource | null;
  stdout: ByteSink | null;
  args: readonly string[];
  environment: readonly (readonly [string, string])[];
}

export const NO_IO: InvocationIo = { stdin: null, stdout: null, args: [], environment: [] };

/** One request on its way to a guest, as a handler sees it. */
export interface HandlerRun {
  readonly exchange: MeteredExchange;
  /** Gets a slot, at once or later, and calls `launch` with it. */
  start(io: InvocationIo, launch: (slot: GuestSlot, on: HandlerEvents) => void): void;
  /** Ends the run before a guest was started. */
  refuse(code: ErrorCode, message: string): void;
}

/** What a handler tells of the guest. */
export interface HandlerEvents {
  /** Some call of this run has not ended. */
  readonly guestRuns: boolean;
  /** The guest is done, and its answer is complete or will not be. */
  done(): void;
  fail(error: unknown): void;
}

/** Calls the export of a component that answers requests. One for each kind of handler. */
export interface Handler {
  begin(run: HandlerRun): void;
}

/** What there is to know when a handler is made. */
export interface HandlerTarget {
  executor: HttpExecutor;
  /** Full name of an exported interface by its beginning. */
  findExport(prefix: string): string | undefined;
}

/** Undefined: the component does not export it. */
export type HandlerFactory = (target: HandlerTarget) => Handler | undefined;

/** Which kinds of handler an executor may call. */
export function kindsOf(executor: HttpExecutor): readonly HandlerKind[] {
  return executor.type === 'wagi' ? ['command'] : ['wasi-http-0.3', 'wasi-http-0.2', 'spin-http'];
}

/** Events of a call whose value does not matter. */
export function untilExit(on: HandlerEvents, result: (value: unknown) => void = () => undefined): CallEvents {
  return { result, exit: () => on.done(), fail: (error) => on.fail(error) };
}
