// What the project means to reach, judged on the figures of one run.

/** A finder of figures by row and number of concurrent requests. */
const finder = (figures) => (name, connections = 32) => figures.find((each) => each.name === name && each.connections === connections);

const byCpu = (row) => `${row.cpuRatio.toFixed(2)} by CPU time`;
const atLeast = (what, value, target, note = '') => ({ what, value, target: `>= ${target}`, ok: value >= target, note });

/** Of one process each, all of one run. Rows that were not measured are left out. */
export function judge({ one, all, echo, cores }) {
  const row = finder(one);
  const tiny = row('Whorl fresh, tiny');
  const post = row('Whorl fresh, js, POST 100 kB');
  const json = row('Whorl fresh, json');
  const js = row('Whorl fresh, js');
  const hello03 = row('Whorl fresh, hello-03');
  const reused = row('Whorl reused, tiny');
  const isolated = row('jco serve instance, tiny');
  const workerd = row('workerd');
  const bareJson = row('bare node:http, JSON');
  const streamed = echo.find(({ name }) => name.startsWith('Whorl'));
  return [
    atLeast('tiny, fresh: of bare node:http', tiny.ratio, 0.5, byCpu(tiny)),
    atLeast('tiny, fresh: times jco serve with an instance for each request', tiny.ratio / isolated.ratio, 50),
    { what: 'tiny, fresh: added p99 at 32 concurrent, ms', value: tiny.addedP99, target: '< 1', ok: tiny.addedP99 < 1, note: '' },
    ...(reused ? [atLeast('tiny, reused: of bare node:http', reused.ratio, 0.6, byCpu(reused))] : []),
    atLeast('compiled component (json), fresh: of bare node:http', json.ratio, 0.3, `${byCpu(json)}; ${(json.ratio / bareJson.ratio).toFixed(2)} of bare node:http that does the same work`),
    atLeast('js, fresh: of bare node:http', js.ratio, 0.12, byCpu(js)),
    atLeast('js, fresh, POST 100 kB: of bare node:http', post.ratio, 0.02, `${byCpu(post)}; ${(post.ratio / row('bare node:http, POST 100 kB').ratio).toFixed(2)} of bare node:http that does the same work`),
    atLeast('0.3 component, fresh: of bare node:http', hello03.ratio, 0.5, byCpu(hello03)),
    atLeast('0.3 component, echo of 100 MB: of bare node:http', streamed.ratio, 0.3),
    { what: '0.3 component, echo of 100 MB: memory grows by, MB', value: streamed.grownBytes / 1e6, target: '< 50', ok: streamed.grownBytes < 50e6, note: '' },
    atLeast('tiny, fresh: of workerd', tiny.ratio / workerd.ratio, 1, `${(tiny.cpuRatio / workerd.cpuRatio).toFixed(2)} by CPU time`),
    scaling(finder(one), finder(all), cores),
  ];
}

/** The load generator runs on the same cores: what it takes of them is no capacity that the runners could have used. */
function scaling(one, all, cores) {
  const connections = 256;
  const [single, every] = [one('Whorl fresh, tiny', connections), all('Whorl fresh, tiny', connections)];
  const raw = every.perSecond / single.perSecond;
  const left = Math.min(cores, cores - every.loadCores);
  const value = (raw * cores) / left;
  const note = `${raw.toFixed(2)} as measured; the load generator took ${every.loadCores.toFixed(2)} of ${cores} cores, the node ${every.cores.toFixed(2)}; CPU per request ${single.cpuUs.toFixed(1)} to ${every.cpuUs.toFixed(1)} us`;
  return { ...atLeast(`tiny, fresh: ${cores} runners to 1, load generator's share taken off`, value, 0.75 * cores, note) };
}
