import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { makeApp, makeBundle } from './bundle-registry.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import { until } from './until.js';

/** What a replica of the control plane says to Prometheus. */

let control: ControlPlaneFixture;
let replica: number;
let metricsUrl: string;

beforeAll(async () => {
  control = await ControlPlaneFixture.start();
  replica = await control.startReplica({ WHORL_API_METRICS_LISTEN: '127.0.0.1:0' });
  const line = control.logged.find((each) => each.includes('metrics are answered'))!;
  metricsUrl = `http://127.0.0.1:${(JSON.parse(line) as { port: number }).port}/metrics`;
});
afterAll(() => control.stop());

const metrics = async (): Promise<string> => (await fetch(metricsUrl)).text();
/** As soon as it says so. */
async function metricsWith(line: string): Promise<string> {
  let text = '';
  await until(async () => (text = await metrics()).includes(line), 20_000);
  return text;
}
const get = (path: string) => fetch(`${control.url(replica)}${path}`, { headers: { authorization: `Bearer ${control.adminToken}` } }).then((answer) => answer.text());

it('counts answers by the pattern of their route, whatever paths clients make up', async () => {
  await get('/v1/apps/one');
  await get('/v1/apps/two');
  for (const path of ['/x/1', '/x/2']) await get(path);
  const text = await metricsWith('whorl_api_requests_total{method="GET",route="none",status="404"} 2\n');
  expect(text).toContain('whorl_api_requests_total{method="GET",route="/v1/apps/:app",status="404"} 2\n');
  expect(text).toContain('whorl_api_request_seconds_count{method="GET",route="/v1/apps/:app"} 2\n');
  expect(text).not.toContain('/x/');
  expect(text).toMatch(/^process_resident_memory_bytes \d/m);
});

it('says how many apps and nodes there are', async () => {
  await control.push('counted', makeBundle(makeApp()), 'rollout=none');
  control.node('n1');
  const text = await metricsWith('whorl_platform_nodes{state="live"} 1\n');
  expect(text).toContain('whorl_database_reachable 1\n');
  expect(text).toContain('whorl_platform_apps 1\n');
  expect(text).toContain('whorl_platform_rollouts{state="progressing"} 0\n');
});

it('still answers without the database, and says so instead of old figures', async () => {
  await control.stopDatabase();
  const text = await metrics();
  expect(text).toContain('whorl_database_reachable 0\n');
  expect(text).not.toMatch(/^whorl_platform_\w+[ {]/m);
  await control.startDatabase();
});
