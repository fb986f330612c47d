/** The CPU time of one call of the host, with all that it entails. The calls of several may take turns in one slot. */
export class CpuAccount {
  usedNs = 0n;
  /** Tasks of it that have not ended. */
  tasks = 0;

  /** `holder`: whom the host calls for; see `ProgramOptions.onSwitch`. */
  constructor(public remainingNs: bigint, readonly holder: unknown = null) {}
}
