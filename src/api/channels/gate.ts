import { z } from 'zod';
import { type ChannelLock, describeLock, isLocked } from './channel-lock.js';
import type { StoredRule } from './channel-rule.js';
import { type FreezeWindow, frozenAt } from './freeze-window.js';

/** What a rollout waits for. */
export const Held = z.object({
  kind: z.enum(['lock', 'freeze']),
  reason: z.string(),
  until: z.iso.datetime().nullable().describe('null: until somebody opens the lock.'),
});
export type Held = z.infer<typeof Held>;

/** That a rollout goes on in spite of something. */
export const Forced = z.object({
  by: z.string().describe('Name of the token.'),
  over: z.string().describe('What stood in its way then; empty: nothing.'),
});
export type Forced = z.infer<typeof Forced>;

/** What stands in the way of rollouts of a channel. */
export interface GateFacts {
  lock: ChannelLock | null;
  freeze: FreezeWindow[];
  rule: StoredRule | null;
}

export interface AskedRollout {
  cause: string;
  version: number;
  onFreeze: 'wait' | 'refuse';
}

export interface Refusal {
  code: 'API_CHANNEL_LOCKED' | 'API_CHANNEL_FROZEN' | 'API_CHANNEL_PINNED';
  message: string;
}

/**
 * What stands in the way of a rollout that is under way, or waits: its next step is not taken meanwhile. A rollback waits for nothing once it has begun.
 * Pure.
 */
export function heldBy({ lock, freeze }: GateFacts, cause: string, nowMs: number): Held | null {
  if (cause === 'rollback') return null;
  if (isLocked(lock, cause, nowMs)) return { kind: 'lock', reason: describeLock(lock), until: lock.until };
  const frozen = frozenAt(freeze, nowMs);
  return frozen && { kind: 'freeze', reason: frozen.reason, until: new Date(frozen.untilMs).toISOString() };
}

/** Why a rollout is not begun at all; undefined: it is, though it may wait. Pure. */
export function refusalOf(facts: GateFacts, { cause, version, onFreeze }: AskedRollout, nowMs: number): Refusal | undefined {
  const { lock, rule } = facts;
  if (isLocked(lock, cause, nowMs)) return { code: 'API_CHANNEL_LOCKED', message: describeLock(lock) };
  if (cause !== 'rollback' && rule && 'pinned' in rule && rule.pinned !== version) return { code: 'API_CHANNEL_PINNED', message: `it is pinned to version ${rule.pinned}` };
  const held = heldBy(facts, cause, nowMs);
  return held && onFreeze === 'refuse' ? { code: 'API_CHANNEL_FROZEN', message: `${held.reason}, until ${held.until}` } : undefined;
}

/** As it is shown with a rollout that waits. */
export function describeHeld({ kind, reason, until }: Held): string {
  return kind === 'lock' ? `the lock of the channel: ${reason}` : `the end of a freeze at ${until}: ${reason}`;
}
