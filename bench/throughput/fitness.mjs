// Whether a run says anything: on a machine that has other work to do, the figures are about that work.

/** Under load bare node:http takes a whole core when it gets one, less what the load generator makes it wait. */
const LEAST_CORES = 0.7;
const CONCURRENT = 32;

/** Why the figures are not to be judged; empty when they are. */
export function unfitness(figures) {
  const bare = figures.find(({ name, connections }) => name === 'bare node:http' && connections === CONCURRENT);
  if (!bare || bare.cores >= LEAST_CORES) return '';
  return `this machine was too busy: bare node:http under ${CONCURRENT} concurrent got ${bare.cores.toFixed(2)} of a core (at least ${LEAST_CORES} is needed).`;
}
