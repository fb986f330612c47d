import { z } from 'zod';

/**
 * How a channel comes to serve another version, as one writes it in `rollout=` of a call, as a channel's default and in
 * `[application.tool.whorl]`:
 *
 * - `now`: all requests at once;
 * - `steps:10@30s,50@30s`: the share of requests in percent, and how long until the next step; `@manual` waits for an approval. After the last
 *   step the version gets all requests;
 * - `shadow`, `shadow@5m`, `shadow@manual`: it gets copies of requests whose answers nobody sees, then all requests.
 */

export type Pause = { forMs: number } | 'manual';
export interface StrategyStep {
  percent: number;
  pause: Pause;
}
export type Strategy = { kind: 'now' } | { kind: 'steps'; steps: StrategyStep[] } | { kind: 'shadow'; pause: Pause };

const FORMS = 'expected now, shadow or steps:<percent>@<time>,… such as steps:10@30s,50@5m';
const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SHADOW_MS = 60_000;
const MAX_STEPS = 20;
const MIN_PERCENT = 0.1;
const MAX_PERCENT = 99.9;
/** A judgement takes a second at least; what takes longer than a month is no rollout. */
const MIN_MS = 1_000;
const MAX_MS = 30 * UNITS_MS.d;

/** @returns the strategy, or what is wrong with the text, to stand after the name of its field */
export function parseStrategy(text: string): Strategy | { problem: string } {
  const [kind, ...rest] = text.split(':');
  if (text === 'now') return { kind: 'now' };
  if (text === 'shadow') return { kind: 'shadow', pause: { forMs: SHADOW_MS } };
  if (text.startsWith('shadow@')) {
    const pause = parsePause(text.slice('shadow@'.length), 'shadow');
    return typeof pause === 'object' && 'problem' in pause ? pause : { kind: 'shadow', pause };
  }
  if (kind !== 'steps' || rest.length !== 1) return { problem: `"${text}" is no strategy: ${FORMS}` };
  return parseSteps(rest[0]!);
}

/** The strategy as it is written. */
export function formatStrategy(strategy: Strategy): string {
  if (strategy.kind === 'now') return 'now';
  if (strategy.kind === 'shadow') return `shadow@${formatPause(strategy.pause)}`;
  return `steps:${strategy.steps.map(({ percent, pause }) => `${percent}@${formatPause(pause)}`).join(',')}`;
}

/** As a field of a request: the text in, the strategy out. */
export const RolloutStrategy = z.string().transform((text, context): Strategy => {
  const parsed = parseStrategy(text);
  if (!('problem' in parsed)) return parsed;
  context.issues.push({ code: 'custom', message: parsed.problem, input: text });
  return z.NEVER;
});

function parseSteps(text: string): Strategy | { problem: string } {
  const steps: StrategyStep[] = [];
  for (const [i, part] of text.split(',').entries()) {
    const name = `step ${i}, "${part}"`;
    const [share, pauseText, ...more] = part.split('@');
    if (!/^[0-9]{1,3}(\.[0-9])?$/.test(share!)) return { problem: `${name}: expected a percentage with one decimal at most, then @ and a time or manual` };
    const percent = Number(share);
    if (percent < MIN_PERCENT || percent > MAX_PERCENT) return { problem: `${name}: a step has from ${MIN_PERCENT} to ${MAX_PERCENT} percent; after the last one the version gets all requests` };
    if (pauseText === undefined || more.length > 0) return { problem: `${name}: expected one @ with how long the step lasts, such as ${percent}@30s or ${percent}@manual` };
    const pause = parsePause(pauseText, name);
    if (typeof pause === 'object' && 'problem' in pause) return pause;
    const before = steps.at(-1)?.percent ?? 0;
    if (percent <= before) return { problem: `${name}: must be above the ${before} percent of the step before, so that nobody goes back to the old version` };
    steps.push({ percent, pause });
  }
  return steps.length > MAX_STEPS ? { problem: `${steps.length} steps are more than ${MAX_STEPS}` } : { kind: 'steps', steps };
}

function parsePause(text: string, name: string): Pause | { problem: string } {
  if (text === 'manual') return 'manual';
  const [, amount, unit] = /^([0-9]{1,9})([smhd])$/.exec(text) ?? [];
  if (amount === undefined) return { problem: `${name}: expected a time such as 30s, 5m, 2h or 1d, or manual, got "${text}"` };
  const forMs = Number(amount) * UNITS_MS[unit as keyof typeof UNITS_MS];
  if (forMs < MIN_MS || forMs > MAX_MS) return { problem: `${name}: expected from 1s to 30d, got ${text}` };
  return { forMs };
}

function formatPause(pause: Pause): string {
  if (pause === 'manual') return pause;
  const [unit, unitMs] = (Object.entries(UNITS_MS) as [string, number][]).findLast(([, each]) => pause.forMs % each === 0) ?? ['s', UNITS_MS.s];
  return `${pause.forMs / unitMs}${unit}`;
}
