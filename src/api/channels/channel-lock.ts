import { z } from 'zod';

export const LockRequest = z.strictObject({
  reason: z.string().min(1).max(500).describe('Shown to whoever is refused.'),
  until: z.iso.datetime({ offset: true }).transform((text) => new Date(text).toISOString()).optional().describe('It opens by itself then; without it somebody must open it.'),
  rollback: z.boolean().default(true).describe('Whether a rollback goes all the same.'),
});
export type LockRequest = z.infer<typeof LockRequest>;

/** Why nothing is rolled out in a channel. */
export const ChannelLock = z.object({
  reason: z.string(),
  until: z.iso.datetime().nullable(),
  rollback: z.boolean(),
  by: z.string().describe('Name of the token.'),
  at: z.iso.datetime(),
});
export type ChannelLock = z.infer<typeof ChannelLock>;

/** Whether it holds for a rollout of this cause at this time. Pure. */
export function isLocked(lock: ChannelLock | null, cause: string, nowMs: number): lock is ChannelLock {
  if (!lock || (lock.until !== null && Date.parse(lock.until) <= nowMs)) return false;
  return cause !== 'rollback' || !lock.rollback;
}

export function describeLock({ reason, until, by, at }: ChannelLock): string {
  return `${by} locked it at ${at}${until === null ? '' : `, until ${until}`}: ${reason}`;
}
