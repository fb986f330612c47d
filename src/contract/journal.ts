import { z } from 'zod';
import { AppName, ChannelName, VersionNumber } from './ids.js';

/**
 * Arrow component ──usage──▶ meter. Each runner appends records to a journal of its own on the node's disk; the node ships them in
 * order, and the control plane takes each (journal, seq) once.
 */

const Source = {
  org: z.string(),
  app: AppName,
  channel: ChannelName,
  version: VersionNumber,
  component: z.string(),
};

/**
 * What stands for a trigger where no client asked: copies of requests to a version that serves nobody yet. No trigger of a manifest
 * has such a name. They are counted, and not as requests of clients.
 */
export const SYNTHETIC_TRIGGERS = ['whorl:shadow'] as const;
export type SyntheticTrigger = (typeof SYNTHETIC_TRIGGERS)[number];
export const isSynthetic = (trigger: string): trigger is SyntheticTrigger => (SYNTHETIC_TRIGGERS as readonly string[]).includes(trigger);

/** Invocations of one component of one version, added up over a short span. Times in ms, sizes in bytes. */
export const UsageRecord = z.object({
  kind: z.literal('usage'),
  /** End of the span, ms since the epoch. */
  at: z.int(),
  ...Source,
  trigger: z.string(),
  requests: z.int().nonnegative(),
  /** Requests that trapped, timed out or struck a limit, and answers of 500 and above. */
  errors: z.int().nonnegative(),
  wallMs: z.number().nonnegative(),
  cpuMs: z.number().nonnegative(),
  bytesIn: z.int().nonnegative(),
  bytesOut: z.int().nonnegative(),
  /** How often a limit struck, by the code of its error; absent: none did. */
  limits: z.record(z.string().regex(/^[A-Z_]{1,64}$/), z.int().positive()).optional(),
});
export type UsageRecord = z.infer<typeof UsageRecord>;

/** One line that a component wrote, or (`stream: 'platform'`) what the platform has to say of one of its invocations. */
export const LogRecord = z.object({
  kind: z.literal('log'),
  at: z.int(),
  ...Source,
  requestId: z.string(),
  stream: z.enum(['stdout', 'stderr', 'platform']),
  line: z.string(),
});
export type LogRecord = z.infer<typeof LogRecord>;

export const JournalRecord = z.discriminatedUnion('kind', [UsageRecord, LogRecord]);
export type JournalRecord = z.infer<typeof JournalRecord>;

/** `seq` counts 1, 2, 3 within one journal. */
export const JournalEntry = z.object({ seq: z.int().min(1), record: JournalRecord });
export type JournalEntry = z.infer<typeof JournalEntry>;

export const JournalBatch = z.object({ journal: z.string(), entries: z.array(JournalEntry) });
export type JournalBatch = z.infer<typeof JournalBatch>;

/** `nextSeq`: everything below it is taken, for good. */
export const JournalReceipt = z.object({ nextSeq: z.int().min(1) });
export type JournalReceipt = z.infer<typeof JournalReceipt>;
