// What the project means to reach, judged on the figures of one run. A target whose rows were not measured is left out.

const byCpu = (own) => `${own.cpuRatio.toFixed(2)} by CPU time`;
const sameWork = (own, bare) => `${(own.ratio / bare.ratio).toFixed(2)} of bare node:http that does the same work`;

/** Each: its name, the rows it is about (at 32 concurrent), its figure, and a note. */
const RATIOS = [
  { what: 'tiny, fresh: of bare node:http', rows: ['Whorl fresh, tiny'], target: 0.5, note: byCpu },
  { what: 'tiny, reused: of bare node:http', rows: ['Whorl reused, tiny'], target: 0.6, note: byCpu },
  { what: 'compiled component (json), fresh: of bare node:http', rows: ['Whorl fresh, json', 'bare node:http, JSON'], target: 0.3, note: (own, bare) => `${byCpu(own)}; ${sameWork(own, bare)}` },
  { what: 'js, fresh: of bare node:http', rows: ['Whorl fresh, js'], target: 0.12, note: byCpu },
  { what: 'js, fresh, POST 100 kB: of bare node:http', rows: ['Whorl fresh, js, POST 100 kB', 'bare node:http, POST 100 kB'], target: 0.02, note: (own, bare) => `${byCpu(own)}; ${sameWork(own, bare)}` },
  { what: '0.3 component, fresh: of bare node:http', rows: ['Whorl fresh, hello-03'], target: 0.5, note: byCpu },
  { what: 'tiny, fresh: times jco serve with an instance for each request', rows: ['Whorl fresh, tiny', 'jco serve instance, tiny'], target: 50, value: (own, peer) => own.ratio / peer.ratio },
  { what: 'tiny, fresh: times workerd', rows: ['Whorl fresh, tiny', 'workerd'], target: 1, value: (own, peer) => own.ratio / peer.ratio, note: (own, peer) => `${(own.cpuRatio / peer.cpuRatio).toFixed(2)} by CPU time` },
];

const finder = (figures) => (name, connections = 32) => figures.find((each) => each.name === name && each.connections === connections);
const below = (what, value, limit) => ({ what, value, target: `< ${limit}`, ok: value < limit, note: '' });
const atLeast = (what, value, target, note = '') => ({ what, value, target: `>= ${target}`, ok: value >= target, note });

export function judge({ one, all, echo, cores }) {
  const row = finder(one);
  const tiny = row('Whorl fresh, tiny');
  const streamed = echo.find(({ name }) => name.startsWith('Whorl'));
  return [
    ...RATIOS.flatMap(({ what, rows, target, value = (own) => own.ratio, note = () => '' }) => {
      const found = rows.map((name) => row(name));
      return found.every(Boolean) ? [atLeast(what, value(...found), target, note(...found))] : [];
    }),
    ...(tiny ? [below('tiny, fresh: added p99 at 32 concurrent, ms', tiny.addedP99, 1)] : []),
    ...(streamed ? [atLeast('0.3 component, echo of 100 MB: of bare node:http', streamed.ratio, 0.3), below('0.3 component, echo of 100 MB: memory grows by, MB', streamed.grownBytes / 1e6, 50)] : []),
    ...scaling(finder(one)('Whorl fresh, tiny', 256), finder(all)('Whorl fresh, tiny', 256), cores),
  ];
}

/** The load generator runs on the same cores: what it takes of them is no capacity that the runners could have used. */
function scaling(single, every, cores) {
  if (!single || !every) return [];
  const raw = every.perSecond / single.perSecond;
  const value = (raw * cores) / (cores - every.loadCores);
  const note = `${raw.toFixed(2)} as measured; the load generator took ${every.loadCores.toFixed(2)} of ${cores} cores, the node ${every.cores.toFixed(2)}; ${((cores * single.cpuUs) / every.cpuUs).toFixed(2)} by CPU time (${single.cpuUs.toFixed(1)} to ${every.cpuUs.toFixed(1)} us a request)`;
  return [atLeast(`tiny, fresh: ${cores} runners to 1, load generator's share taken off`, value, 0.75 * cores, note)];
}
