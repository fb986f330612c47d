// Simulated traffic to two versions of an app, second by second, as the nodes report it. Everything random comes from the seed.

/** mulberry32: numbers from 0 to 1. */
export function newRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const normal = (random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

export function poisson(random, mean) {
  if (mean > 60) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)));
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random(); product > limit; product *= random()) count++;
  return count;
}

const BUCKETS = 512;
const STEPS = 16;
const bucket = (us) => Math.max(0, Math.min(BUCKETS - 1, Math.floor(Math.log2(Math.max(us, 1)) * STEPS)));
const steps = (factor) => Math.round(Math.log2(factor) * STEPS);

/** Durations in µs. */
const SHAPES = {
  'log-normal': (random) => 20_000 * Math.exp(0.6 * normal(random)),
  // Pareto: the variance is infinite.
  'heavy tail': (random) => 8_000 * (1 - random()) ** (-1 / 1.5),
  'two humps': (random) => (random() < 0.8 ? 3_000 * Math.exp(0.3 * normal(random)) : 80_000 * Math.exp(0.5 * normal(random))),
  quick: (random) => 600 * Math.exp(0.3 * normal(random)),
  cpu: (random) => 2_000 * Math.exp(0.25 * normal(random)),
};

/** The bucket that the share `level` of a shape lies below. */
const quantiles = new Map();
function quantileOf(shape, level) {
  const key = `${shape} ${level}`;
  if (!quantiles.has(key)) {
    const random = newRandom(5);
    const values = Array.from({ length: 100_000 }, () => bucket(SHAPES[shape](random))).sort((a, b) => a - b);
    quantiles.set(key, values[Math.floor(level * values.length)]);
  }
  return quantiles.get(key);
}

/** Draws buckets of a shape from a table (alias method), which is quick. */
const samplers = new Map();
function samplerOf(shape) {
  if (samplers.has(shape)) return samplers.get(shape);
  const random = newRandom(11);
  const counts = new Float64Array(BUCKETS);
  const size = 200_000;
  for (let i = 0; i < size; i++) counts[bucket(SHAPES[shape](random))]++;
  const p = Array.from(counts, (count) => (count * BUCKETS) / size);
  const alias = new Int32Array(BUCKETS);
  const cut = new Float64Array(BUCKETS).fill(1);
  const [small, large] = [[], []];
  p.forEach((x, i) => (x < 1 ? small : large).push(i));
  while (small.length > 0 && large.length > 0) {
    const [s, l] = [small.pop(), large.at(-1)];
    cut[s] = p[s];
    alias[s] = l;
    p[l] -= 1 - p[s];
    if (p[l] < 1) small.push(large.pop());
  }
  const sample = (r) => {
    const at = r() * BUCKETS;
    const i = at | 0;
    return at - i < cut[i] ? i : alias[i];
  };
  samplers.set(shape, sample);
  return sample;
}

export const CANDIDATE = 2;
export const BASELINE = 1;
const GROUPS = 8;

/** Every setting of a world with its default. */
const DEFAULTS = {
  /** Requests/s in all. */
  rate: 200,
  nodes: 3,
  shape: 'log-normal',
  /** Shares that fail, for both. */
  errors: 0.001, traps: 0.0001, limits: 0.0001,
  /** Of the candidate, from `onsetS` of the rollout on: { errors, traps, limits: shares; latency, cpu: factors; tail: { share, factor }, hang: share } */
  fault: {}, onsetS: 0,
  /** Components by share of the requests; a fault is of `faulty` alone where that is given. */
  components: { web: 1 }, faulty: undefined,
  /** Requests come in bursts of five times as many. */
  bursts: false,
  /** Now and then something shared fails: 30 % of all requests fail, and all take twice as long. */
  outages: false,
  /** Both slow down to twice and fail 30 times as often over so many seconds. */
  driftS: 0,
  /** So many clients, one in twenty with trouble of its own unless they are `alike`; `sticky`: a client always goes to the same version. */
  clients: 0, alike: false, sticky: false,
  /** Errors come in lumps of so many on average, each within one version. */
  lump: 0,
  /** Nodes by number that are slower: factor; and nodes that have the candidate (all). */
  slowNodes: {}, candidateNodes: undefined,
  /** New instances are so many times slower at first, fading over `coldS`. */
  cold: 1, coldS: 3,
};

/** One world: `second(percent)` is the reports of the next second, `toHistogram` being the product's own. */
export class World {
  constructor(settings, seed, toHistogram) {
    this.settings = { ...DEFAULTS, ...settings };
    this.random = newRandom(seed);
    this.toHistogram = toHistogram;
    this.t = 0;
    this.rolloutS = 0;
    this.seq = 0;
    this.burst = false;
    this.outage = false;
    this.badAnswers = 0;
    const { clients, alike } = this.settings;
    if (clients > 0) this.clients = newClients(this.random, clients, alike ? 0 : 0.05);
    this.latency = samplerOf(this.settings.shape);
    this.cpu = samplerOf('cpu');
    this.hanging = [];
    this.components = Object.keys(this.settings.components);
    this.cells = Array.from({ length: this.settings.nodes }, () => this.components.flatMap((name) => [newCell(BASELINE, name), newCell(CANDIDATE, name)]));
  }

  /** @param percent of the requests that go to the candidate; 0: before the rollout */
  second(percent, atMs = this.t * 1_000) {
    const { settings, random } = this;
    this.t++;
    this.seq++;
    if (percent > 0) this.rolloutS++;
    if (settings.bursts && random() < (this.burst ? 0.33 : 0.037)) this.burst = !this.burst;
    if (settings.outages && random() < (this.outage ? 0.05 : 0.01)) this.outage = !this.outage;
    const mean = settings.rate * (settings.bursts ? (this.burst ? 5 : 0.5556) : 1);
    const total = poisson(random, mean);
    for (let i = 0; i < total; i++) this.request(percent);
    this.giveUp();
    return this.cells.map((cells, node) => ({ source: `node-${node}`, seq: this.seq, atMs, samples: cells.filter(({ used }) => used).map((cell) => this.toSample(cell)) }));
  }

  request(percent) {
    const { settings, random } = this;
    let node = settings.nodes === 1 ? 0 : Math.floor(random() * settings.nodes);
    const client = this.clients?.draw(random);
    const drawn = settings.sticky ? client.hash * 100 : random() * 100;
    const candidate = drawn < percent;
    if (candidate && settings.candidateNodes) node = settings.candidateNodes[Math.floor(random() * settings.candidateNodes.length)];
    const component = this.componentOf();
    const cell = this.cellOf(node, component, candidate);
    const fault = candidate && this.rolloutS > settings.onsetS && (settings.faulty ?? this.components[component]) === this.components[component] ? settings.fault : {};
    cell.started++;
    if (fault.hang && random() < fault.hang) {
      this.hanging.push({ node, component, dueS: this.t + 5 });
      return;
    }
    this.answer(cell, { fault, client, candidate, node });
  }

  answer(cell, { fault, client, candidate, node }) {
    const { settings, random } = this;
    const drift = settings.driftS > 0 ? Math.min(1, this.t / settings.driftS) : 0;
    cell.requests++;
    const base = settings.lump > 0 ? 0 : (client ? client.errors : settings.errors) * (1 + 29 * drift);
    const shared = this.outage ? 0.3 : 0;
    let failed = random() < shared;
    const group = settings.sticky ? client.group : Math.floor(random() * GROUPS);
    for (const kind of ['traps', 'limits']) {
      if (random() < (fault[kind] ?? settings[kind])) {
        cell[kind]++;
        failed = true;
        break;
      }
    }
    if (!failed && random() < (fault.errors ?? base)) failed = true;
    if (settings.lump > 0 && cell.lump === undefined) this.strike(cell);
    if (settings.lump > 0 && !failed && cell.lump > 0) {
      cell.lump--;
      failed = true;
    }
    if (failed) {
      cell.errors++;
      if (candidate) this.badAnswers++;
    }
    let slow = (this.outage ? STEPS : 0) + Math.round(STEPS * drift) + (settings.slowNodes[node] ? steps(settings.slowNodes[node]) : 0) + (client ? client.slower : 0);
    if (candidate && settings.cold > 1) slow += Math.round(STEPS * Math.log2(settings.cold) * Math.exp(-this.rolloutS / settings.coldS));
    let latency = this.latency(random);
    if (fault.tail && latency >= quantileOf(settings.shape, 1 - fault.tail.share)) latency += steps(fault.tail.factor);
    latency = Math.min(BUCKETS - 1, latency + slow + (fault.latency ? steps(fault.latency) : 0));
    cell.latency[latency]++;
    cell.cpu[Math.min(BUCKETS - 1, this.cpu(random) + (fault.cpu ? steps(fault.cpu) : 0))]++;
    // A lump is of one client: of one group.
    const counted = settings.lump > 0 && failed ? cell.lumpGroup : group;
    cell.groups[3 * counted]++;
    if (failed) cell.groups[3 * counted + 1]++;
    cell.seen.push(counted * BUCKETS + latency);
  }

  /** How many errors of a lump this second brings to one version on one node. */
  strike(cell) {
    const { settings, random } = this;
    const lumps = poisson(random, (settings.rate / settings.nodes) * (settings.errors / settings.lump) * (cell.version === CANDIDATE ? 0.1 : 0.9));
    cell.lump = 0;
    for (let i = 0; i < lumps; i++) cell.lump += 1 + Math.floor(Math.log(1 - random()) / Math.log(1 - 1 / settings.lump));
    cell.lumpGroup = Math.floor(random() * GROUPS);
  }

  /** Requests that hang count as errors once they are overdue. */
  giveUp() {
    const due = this.hanging.filter(({ dueS }) => dueS <= this.t);
    this.hanging = this.hanging.filter(({ dueS }) => dueS > this.t);
    for (const { node, component } of due) {
      const cell = this.cellOf(node, component, true);
      cell.requests++;
      cell.errors++;
      cell.overdue++;
      cell.latency[bucket(5_000_000)]++;
      this.badAnswers++;
    }
  }

  /** The number of the component that a request is for. */
  componentOf() {
    if (this.components.length === 1) return 0;
    let left = this.random();
    const found = this.components.findIndex((name) => (left -= this.settings.components[name]) < 0);
    return found < 0 ? this.components.length - 1 : found;
  }

  cellOf(node, component, candidate) {
    const cell = this.cells[node][2 * component + (candidate ? 1 : 0)];
    cell.used = true;
    return cell;
  }

  /** What one version did on one node in the second, which leaves the cell empty. */
  toSample(cell) {
    const { version, component, started, requests, errors, traps, limits, overdue, latency, cpu, groups } = cell;
    const limit = slowAbove(latency, requests);
    for (const each of cell.seen) if (each % BUCKETS > limit) groups[3 * Math.floor(each / BUCKETS) + 2]++;
    cell.seen.length = 0;
    const sample = { version, component, started, requests, errors, traps, limits, overdue, latency: this.toHistogram(latency), cpu: this.toHistogram(cpu), ...(version === BASELINE && { groups: [...groups] }) };
    latency.fill(0);
    cpu.fill(0);
    groups.fill(0);
    Object.assign(cell, { used: false, started: 0, requests: 0, errors: 0, traps: 0, limits: 0, overdue: 0, lump: undefined });
    return sample;
  }
}

const newCell = (version, component) => ({
  version, component, used: false, started: 0, requests: 0, errors: 0, traps: 0, limits: 0, overdue: 0, lump: undefined, lumpGroup: 0,
  latency: new Uint32Array(BUCKETS), cpu: new Uint32Array(BUCKETS), groups: Array.from({ length: 3 * GROUPS }, () => 0), seen: [],
});

/** The bucket that the share 0.95 reaches. */
function slowAbove(counts, total) {
  let above = 0;
  for (let i = BUCKETS - 1; i >= 0; i--) if ((above += counts[i]) > 0.05 * total) return i;
  return 0;
}

/** Clients of very different size (the k-th has a k-th of the first one's requests), one in twenty with 15 % errors and three times slower. */
function newClients(random, count, troubledShare) {
  const clients = [];
  let sum = 0;
  for (let k = 1; k <= count; k++) {
    const troubled = random() < troubledShare;
    const hash = random();
    sum += 1 / k;
    clients.push({ upTo: sum, hash, group: Math.floor(hash * GROUPS), errors: troubled ? 0.15 : 0.003, slower: troubled ? steps(3) : 0 });
  }
  return {
    draw(r) {
      const at = r() * sum;
      let [low, high] = [0, clients.length - 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (clients[middle].upTo > at) high = middle;
        else low = middle + 1;
      }
      return clients[low];
    },
  };
}
