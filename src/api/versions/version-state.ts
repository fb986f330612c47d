export type VersionState = 'ready' | 'awaiting-approval' | 'pending' | 'serving' | 'failed' | 'collected';

/** What a version's state follows from: nothing of it is stored twice. */
export interface VersionFacts {
  /** A rollout to it has not ended. */
  rollingOut: boolean;
  /** That rollout has not begun: somebody must agree first. */
  awaitingApproval: boolean;
  failed: boolean;
  /** Its bytes are given up. */
  collected: boolean;
  /** Those that serve it. */
  channels: readonly string[];
}

/** `ready`: built and not served; `awaiting-approval`: somebody must agree to what it asks for; `pending`: its rollout is under way; `failed`: its last rollout failed and it is not served; `collected`: its bytes are gone. */
export function versionState({ rollingOut, awaitingApproval, failed, collected, channels }: VersionFacts): VersionState {
  if (collected) return 'collected';
  if (awaitingApproval) return 'awaiting-approval';
  if (rollingOut) return 'pending';
  if (channels.length > 0) return 'serving';
  return failed ? 'failed' : 'ready';
}
