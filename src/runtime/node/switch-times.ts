import type { SwitchTimes } from '#contract/assignment.js';

/** When every runner of a lane had switched, and when the last request had ended on what was served before; null: some run longer. */
export interface Switched {
  switchedAtMs: number;
  settledAtMs: number | null;
}

/** As it is reported: since the node was told, to the tenth of a millisecond. */
export function toSwitchTimes(generation: number, { switchedAtMs, settledAtMs }: Switched, toldAtMs: number): SwitchTimes {
  const since = (atMs: number): number => Math.max(0, Math.round((atMs - toldAtMs) * 10) / 10);
  return { generation, switchedMs: since(switchedAtMs), lastOldAnswerMs: settledAtMs === null ? null : since(settledAtMs), reportedMs: since(performance.now()) };
}
