/** What is known of one gate before a step. */
export interface GateAnswer {
  /** Its host, for people. */
  name: string;
  state: 'pending' | 'delivered' | 'failed';
  verdict: string | null;
  reason: string | null;
  expiresAt: Date;
}

export type GateDecision = { kind: 'open' } | { kind: 'wait'; reason: string } | { kind: 'closed'; reason: string };

/** Whether a step may begin: when every gate has said pass. One that says fail, or nothing in time, closes it. Pure. */
export function decideGates(answers: readonly GateAnswer[], now: Date): GateDecision {
  for (const { name, verdict, reason } of answers) if (verdict === 'fail') return { kind: 'closed', reason: `the webhook at ${name} says fail${reason === null ? '' : `: ${reason}`}` };
  const waiting = answers.filter(({ verdict }) => verdict !== 'pass' && verdict !== 'overridden');
  const late = waiting.find(({ state, expiresAt }) => state !== 'pending' || now >= expiresAt);
  if (late) return { kind: 'closed', reason: `the webhook at ${late.name} has not said pass in time${late.reason === null ? '' : `: ${late.reason}`}` };
  return waiting.length === 0 ? { kind: 'open' } : { kind: 'wait', reason: `the webhook at ${waiting[0]!.name} is asked` };
}
