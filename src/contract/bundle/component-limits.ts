import { z } from 'zod';

export const positive = z.int('expected an integer').positive('must be above 0');

/**
 * Every limit of a component. The same name stands in three places: here, in snake case in `[component.<id>.tool.whorl]`, where an app
 * lowers it, and in capitals behind `WHORL_LIMIT_`, where the operator sets the default, which is also the most that an app may have.
 */
export const LIMITS = {
  /** CPU time of an invocation. */
  cpuMs: positive,
  /** From the start of an invocation to its end. */
  wallMs: positive,
  /** Linear memory of an instance. */
  memoryBytes: positive.min(65536, 'must be at least 65536, one page'),
  /** Memory outside of the instance that is held for an invocation: fields, bodies not sent yet, responses not read. */
  hostBytes: positive,
  /** Invocations at a time in one runner; others wait. */
  concurrency: positive,
  /** Requests that wait in one runner. */
  queued: positive,
  /** How long one waits. */
  queueMs: positive,
  requestBytes: positive,
  responseBytes: positive,
  /** Requests that an invocation may send, over the network or to other components. */
  outboundRequests: positive,
  /** Of those, under way at a time. */
  outboundConcurrency: positive,
  /** Connections of a component in one runner, those kept for later use included. */
  outboundConnections: positive,
  /** Output of an invocation that is kept in the log. */
  logBytes: positive,
};

export type LimitName = keyof typeof LIMITS;
export const LIMIT_NAMES = Object.keys(LIMITS) as LimitName[];

/** What an app asks for; absent: the operator's. */
export const ComponentLimits = z.object(LIMITS).partial();
export type ComponentLimits = z.infer<typeof ComponentLimits>;

/** `cpuMs` → `cpu_ms`: the key in a manifest. */
export const toLimitKey = (name: LimitName): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Limits as a manifest has them, by the names that everything else uses. */
export function readLimits(raw: Readonly<Record<string, unknown>>): ComponentLimits {
  const set = LIMIT_NAMES.map((name) => [name, raw[toLimitKey(name)]] as const);
  return Object.fromEntries(set.filter(([, value]) => value !== undefined)) as ComponentLimits;
}
