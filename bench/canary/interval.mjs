// One interval with exact counts, for tests that need no chance.
import { BASELINE, CANDIDATE } from './world.mjs';

/**
 * @param seq number of the interval; it was taken at as many seconds
 * @param arms what each version did: { requests, errors?, traps?, limits?, overdue?, started?, latency?, cpu?, groups?, component? }
 */
export function intervalOf(seq, { candidate, baseline, source = 'node-0', atMs = seq * 1_000 }) {
  const sample = (version, { component = 'web', requests, started = requests, errors = 0, traps = 0, limits = 0, overdue = 0, latency = [], cpu = [], ...rest }) =>
    ({ version, component, started, requests, errors, traps, limits, overdue, latency, cpu, ...rest });
  return { source, seq, atMs, samples: [...(baseline ? [sample(BASELINE, baseline)] : []), ...(candidate ? [sample(CANDIDATE, candidate)] : [])] };
}
