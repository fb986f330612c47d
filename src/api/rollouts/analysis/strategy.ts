import { z } from 'zod';

/**
 * How a channel comes to serve another version, as one writes it in `rollout=` of a call, as a channel's default and in
 * `[application.tool.whorl]`:
 *
 * - `now`: all requests at once;
 * - `steps:10@30s,50@30s`: the share of requests in percent, and how long until the next step; `@manual` waits for an approval. After the last
 *   step the version gets all requests;
 * - `shadow:20@5m`: it gets copies of so many percent of the requests, whose answers nobody sees, then all requests; `shadow:20@5m,steps:10@30s`:
 *   then shares as above. `shadow` alone is `shadow:100@1m`.
 */

export type Pause = { forMs: number } | 'manual';
export interface StrategyStep {
  percent: number;
  pause: Pause;
}
export type Strategy = { kind: 'now' } | { kind: 'steps'; steps: StrategyStep[] } | { kind: 'shadow'; percent: number; pause: Pause; steps: StrategyStep[] };

const FORMS = 'expected now, steps:<percent>@<time>,… such as steps:10@30s,50@5m, or shadow:<percent>@<time> with or without ,steps:… behind it';
const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SHARE = /^[0-9]{1,3}(\.[0-9])?$/;
const SHADOW_FORM = /^shadow(?::([^@,]*))?(?:@([^,]*))?(?:,steps:(.*))?$/;
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
  const copies = SHADOW_FORM.exec(text);
  if (copies) return parseShadow(copies[1], copies[2], copies[3]);
  if (kind !== 'steps' || rest.length !== 1) return { problem: `"${text}" is no strategy: ${FORMS}` };
  return parseSteps(rest[0]!);
}

/** The strategy as it is written. */
export function formatStrategy(strategy: Strategy): string {
  if (strategy.kind === 'now') return 'now';
  const { steps } = strategy;
  const shares = steps.length === 0 ? '' : `steps:${steps.map(({ percent, pause }) => `${percent}@${formatPause(pause)}`).join(',')}`;
  if (strategy.kind === 'steps') return shares;
  return [`shadow:${strategy.percent}@${formatPause(strategy.pause)}`, ...(shares === '' ? [] : [shares])].join(',');
}

/** As a field of a request: the text in, the strategy out. */
export const RolloutStrategy = z.string().transform((text, context): Strategy => {
  const parsed = parseStrategy(text);
  if (!('problem' in parsed)) return parsed;
  context.issues.push({ code: 'custom', message: parsed.problem, input: text });
  return z.NEVER;
});

function parseShadow(share: string | undefined, pauseText: string | undefined, then: string | undefined): Strategy | { problem: string } {
  if (share !== undefined && !SHARE.test(share)) return { problem: `shadow, "${share}": expected a percentage with one decimal at most` };
  const percent = share === undefined ? 100 : Number(share);
  if (percent < MIN_PERCENT || percent > 100) return { problem: `shadow, "${share}": of the requests from ${MIN_PERCENT} to 100 percent can be copied` };
  const pause = pauseText === undefined ? { forMs: SHADOW_MS } : parsePause(pauseText, 'shadow');
  if (typeof pause === 'object' && 'problem' in pause) return pause;
  const steps = then === undefined ? { kind: 'steps' as const, steps: [] } : parseSteps(then);
  return 'problem' in steps ? steps : { kind: 'shadow', percent, pause, steps: (steps as { steps: StrategyStep[] }).steps };
}

function parseSteps(text: string): Strategy | { problem: string } {
  const steps: StrategyStep[] = [];
  for (const [i, part] of text.split(',').entries()) {
    const name = `step ${i}, "${part}"`;
    const [share, pauseText, ...more] = part.split('@');
    if (!SHARE.test(share!)) return { problem: `${name}: expected a percentage with one decimal at most, then @ and a time or manual` };
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
