import type { AppName, VersionNumber } from '#contract/ids.js';
import type { AppRecord } from '../apps/app.js';
import { describeHeld } from '../channels/gate.js';
import { stepsOf } from './analysis/steps.js';
import { formatStrategy, parseStrategy, type Strategy } from './analysis/strategy.js';
import type { RolloutRecord } from './rollout.repository.js';
import { toShadowRecord, toShadowView } from './shadow/shadow-record.js';
import type { RolloutDetails, RolloutSummary } from './rollout.schema.js';

export function toSummary({ name, channel }: AppRecord, rollout: RolloutRecord): RolloutSummary {
  const { id, version, state, phase, strategy, progress, cause, causedBy, generation, asks, decidedBy, decidedAt, failure, held, forced, createdAt, endedAt } = rollout;
  return {
    rollout: Number(id), app: name as AppName, channel: channel.channel as RolloutSummary['channel'], version: version as VersionNumber,
    state, phase, strategy, step: progress?.index ?? null, pausedFor: state === 'paused' ? pausedFor(rollout) : null, held: state === 'paused' ? held : null, forced, cause, causedBy, generation,
    variables: rollout.restored, asks: asks ?? [], decidedBy, decidedAt: decidedAt?.toISOString() ?? null, ...(failure && { reason: failure }), createdAt: createdAt.toISOString(), endedAt: endedAt?.toISOString() ?? null,
  };
}

export function toDetails(app: AppRecord, rollout: RolloutRecord): RolloutDetails {
  const { progress, steps, verdict, policy, keyHeader, shadow, endedAt } = rollout;
  const copies = toShadowRecord(shadow);
  const strategy = progress?.strategy ?? (parseStrategy(rollout.strategy) as Strategy);
  const from = (progress?.index ?? -1) + 1;
  const ahead = endedAt === null ? stepsOf(strategy).slice(from).map((step, i) => ({ step: from + i, percent: step.percent, ...(step.shadow && { shadow: true }), pause: pauseOf(step) })) : [];
  return { ...toSummary(app, rollout), keyHeader, analysis: policy, serving: app.channel.serve, steps: steps ?? [], ahead, verdict, shadow: copies && toShadowView(copies) };
}

function pausedFor({ phase, progress, held, gate }: RolloutRecord): string {
  if (phase === 'awaiting-approval') return 'somebody must agree to what the version asks for';
  return held ? describeHeld(held) : (gate ?? progress?.reason ?? 'somebody must decide');
}

/** As it is written behind the @. */
export function pauseOf({ percent, pause }: { percent: number; pause: ReturnType<typeof stepsOf>[number]['pause'] }): string {
  return formatStrategy({ kind: 'steps', steps: [{ percent, pause }] }).split('@')[1]!;
}
