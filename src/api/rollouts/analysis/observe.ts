import { SLOW_LEVEL } from '#contract/samples.js';
import { logSum } from './e-value.js';
import { addHistograms, countAbove, type Histogram, halveHistogram, NO_DURATIONS, quantileBucket, totalOf } from './histogram.js';
import { harmBySignal, stepHarm } from './harm.js';
import { type Interval, type Sample } from './interval.js';
import { divisionOf, stepLump, worstGroupOf } from './lump.js';
import type { Signal } from './policy.js';
import { stepProof } from './proof.js';
import { addLately, isMixed, isWarm, nextSource } from './source.js';
import { type AnalysisState, type Arm, type Arms, NO_ARMS, NO_REQUESTS, type Unit } from './state.js';

/**
 * Requests of both versions that make a block. Blocks are closed by the number of requests alone, never by how they ended: choosing by outcomes would
 * break what the test promises.
 */
const LEAST = 3;
/** What is usual is forgotten by halves, once so many requests have taught it. */
const LEARNED_MOST = 50_000;
/** How much worse than the worst group is clearly worse. */
const CLEARLY = 2;
/** A fault is a component's when so much of it is, and not of the requests. */
const MOSTLY = 0.8;
/** How long back "lately" goes. */
const RECENT_MS = 10_000;

/**
 * Takes one interval of one source; an interval taken before changes nothing. As long as the new version has had no request, the old one's teach what
 * is usual. After a failure nothing changes any more. Pure: the same intervals in the same order give the same state.
 */
export function observe(state: AnalysisState, interval: Interval): AnalysisState {
  const known = state.sources[interval.source];
  if (state.failed || (known && interval.seq <= known.seq)) return state;
  const { candidate, baseline } = state.subject;
  const samples = interval.samples.filter(({ version }) => version === candidate || version === baseline);
  const of = (version: number): Sample[] => samples.filter((sample) => sample.version === version);
  const counted = (version: number): number => of(version).reduce((sum, { started, requests }) => sum + Math.max(started, requests), 0);
  const atMs = Math.max(state.lastMs ?? 0, interval.atMs);
  const counts = { candidate: counted(candidate), baseline: counted(baseline) };
  const seen = state.seen || counts.candidate > 0;
  const source = nextSource(known, { seq: interval.seq, atMs }, seen ? counts : { candidate: 0, baseline: 0 });
  const next: AnalysisState = {
    ...state,
    sources: { ...state.sources, [interval.source]: source },
    lastMs: atMs,
    recent: nextRecent(state, samples, atMs),
    traffic: seen ? addLately(state.traffic, counts, Infinity) : state.traffic,
    seen,
  };
  if (!seen) return teach(next, of(baseline));
  if (!isMixed(source, next.traffic)) return next;
  const warm = isWarm(source, state.policy, atMs);
  const units = next.units.map((unit) => {
    const arm = (version: number, keep: boolean): Arm => of(version).filter((sample) => isOf(unit, sample)).reduce((sum, sample) => addArms(sum, toArm(sample, keep)), NO_REQUESTS);
    const arms = { candidate: arm(candidate, warm), baseline: arm(baseline, true) };
    const groups = of(baseline).filter((sample) => isOf(unit, sample)).reduce((sum, sample) => addGroups(sum, sample.groups), unit.groups);
    return { ...unit, open: addPairs(unit.open, arms), shown: addPairs(unit.shown, arms), groups, closedMs: unit.closedMs ?? atMs };
  });
  return close({ ...next, units }, atMs);
}

/** Closes the blocks that have enough requests of both versions. */
function close(state: AnalysisState, atMs: number): AnalysisState {
  const { policy, subject } = state;
  let { proof } = state;
  const units = state.units.map((unit) => {
    const { open } = unit;
    if (open.candidate.requests < LEAST || open.baseline.requests < LEAST) return unit;
    const division = divisionOf(unit.lump, { sticky: subject.sticky, candidateRequests: unit.candidate.requests });
    const terms = { policy, learned: unit.learned, division };
    if (unit.component === null) proof = stepProof(proof, open, terms, atMs - state.stepMs >= policy.warmUpMs);
    const age = { fromMs: unit.ageMs, toMs: unit.ageMs + (atMs - unit.closedMs!) };
    return {
      ...learn(unit, open.baseline),
      open: NO_ARMS, groups: [], closedMs: atMs, ageMs: age.toMs,
      lump: stepLump(unit.lump, unit.groups),
      candidate: addArms(unit.candidate, open.candidate),
      harm: stepHarm(unit.harm, open, terms, age),
    };
  });
  return { ...state, units, proof, failed: failureOf(units, atMs, { most: policy.falseAlarms, sticky: subject.sticky }) };
}

function failureOf(units: readonly Unit[], atMs: number, { most, sticky }: { most: number; sticky: boolean }): AnalysisState['failed'] {
  if (evidenceOf(units) < Math.log(1 / most)) return null;
  const blame = blameOf(units);
  if (sticky && !standsOut(units.find(({ component }) => component === blame.component)!, blame.signal)) return null;
  return { atMs, ...blame };
}

/** Whether the candidate is worse than any group of the baseline's clients: else the clients that came to it may be the reason. */
function standsOut({ candidate, lump, learned }: Unit, signal: Signal): boolean {
  const worst = worstGroupOf(lump);
  if (signal !== 'latency' && signal !== 'cpu') return candidate[signal] > CLEARLY * worst.errors * candidate.requests;
  const slow = countAbove(candidate[signal], quantileBucket(learned[signal], SLOW_LEVEL));
  return slow > CLEARLY * worst.slow * totalOf(candidate[signal]);
}

/** log of all evidence against the new version: the weighted mean over signals and units, which may depend on each other in any way. At first it is 0. */
export function evidenceOf(units: readonly Unit[]): number {
  return logSum(units.flatMap(({ weight, harm, ageMs }) => harmBySignal(harm, ageMs).map(({ log }) => log + Math.log(weight))));
}

/** Where most of the evidence comes from: the signal, and the component where the fault is of one rather than of the whole app. */
function blameOf(units: readonly Unit[]): { component: string | null; signal: Signal } {
  const parts = units.flatMap((unit) => harmBySignal(unit.harm, unit.ageMs).map(({ signal, log }) => ({ unit, signal, log })));
  const { signal, unit, log } = parts.reduce((most, part) => (part.log > most.log ? part : most));
  if (unit.component !== null) return { component: unit.component, signal };
  const [whole, ...components] = units as [Unit, ...Unit[]];
  const share = (of: Unit, part: 'requests' | Signal): number => {
    const [own, all] = [of.shown.candidate[part], whole.shown.candidate[part]];
    return typeof own === 'number' ? own / (all as number) : 0;
  };
  const own = components.find((each) => share(each, signal) >= MOSTLY && share(each, 'requests') < MOSTLY)
    ?? parts.find((part) => part.unit.component !== null && part.signal === signal && part.log >= MOSTLY * log)?.unit;
  return { component: own?.component ?? null, signal };
}

/** Before the new version has had any request, all of the baseline's teach. */
function teach(state: AnalysisState, samples: readonly Sample[]): AnalysisState {
  const total = (part: 'requests' | 'errors'): number => samples.reduce((sum, sample) => sum + sample[part], 0);
  return {
    ...state,
    before: { requests: state.before.requests + total('requests'), errors: state.before.errors + total('errors') },
    units: state.units.map((unit) => {
      const own = samples.filter((sample) => isOf(unit, sample));
      const arm = own.reduce((sum, sample) => addArms(sum, toArm(sample, true)), NO_REQUESTS);
      return { ...learn(unit, arm), lump: stepLump(unit.lump, own.reduce<number[]>((sum, { groups }) => addGroups(sum, groups), [])) };
    }),
  };
}

function learn(unit: Unit, arm: Arm): Unit {
  return { ...unit, learned: { latency: remember(unit.learned.latency, arm.latency), cpu: remember(unit.learned.cpu, arm.cpu) } };
}

function remember(past: Histogram, more: Histogram): Histogram {
  const sum = addHistograms(past, more);
  return totalOf(sum) > LEARNED_MOST ? halveHistogram(sum) : sum;
}

function nextRecent(state: AnalysisState, samples: readonly Sample[], atMs: number): AnalysisState['recent'] {
  const kept = Math.exp(-(atMs - (state.lastMs ?? atMs)) / RECENT_MS);
  return samples.reduce(
    (sum, { requests, errors }) => ({ requests: sum.requests + requests, errors: sum.errors + errors }),
    { requests: state.recent.requests * kept, errors: state.recent.errors * kept },
  );
}

function isOf(unit: Unit, { component }: Sample): boolean {
  return unit.component === null || unit.component === component;
}

function toArm({ started, requests, errors, traps, limits, overdue, latency, cpu }: Sample, warm: boolean): Arm {
  return { started, requests, errors, traps, limits, overdue, latency: warm ? latency : NO_DURATIONS, cpu: warm ? cpu : NO_DURATIONS };
}

function addArms(a: Arm, b: Arm): Arm {
  return {
    started: a.started + b.started, requests: a.requests + b.requests, errors: a.errors + b.errors, traps: a.traps + b.traps, limits: a.limits + b.limits, overdue: a.overdue + b.overdue,
    latency: addHistograms(a.latency, b.latency), cpu: addHistograms(a.cpu, b.cpu),
  };
}

function addPairs(a: Arms, b: Arms): Arms {
  return { candidate: addArms(a.candidate, b.candidate), baseline: addArms(a.baseline, b.baseline) };
}

function addGroups(sum: number[], groups: readonly number[] | undefined): number[] {
  if (!groups) return sum;
  return sum.length === 0 ? [...groups] : sum.map((value, i) => value + groups[i]!);
}
