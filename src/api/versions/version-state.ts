import type { TrafficShare } from '#contract/assignment.js';

export type VersionState = 'ready' | 'awaiting-approval' | 'pending' | 'serving' | 'failed' | 'collected';

/** What a version's state follows from: nothing of it is stored twice. */
export interface VersionFacts {
  number: number;
  /** A rollout to it has not ended. */
  rollingOut: boolean;
  /** That rollout has not begun: somebody must agree first. */
  awaitingApproval: boolean;
  failed: boolean;
  /** Its bytes are given up. */
  collected: boolean;
}

/** `ready`: built and not served; `awaiting-approval`: somebody must agree to what it asks for; `pending`: its rollout is under way; `failed`: its last rollout failed and it is not served; `collected`: its bytes are gone. */
export function versionState({ number, rollingOut, awaitingApproval, failed, collected }: VersionFacts, serve: readonly TrafficShare[]): VersionState {
  if (collected) return 'collected';
  if (awaitingApproval) return 'awaiting-approval';
  if (rollingOut) return 'pending';
  if (serve.some((share) => share.version === number && share.percent > 0)) return 'serving';
  return failed ? 'failed' : 'ready';
}
