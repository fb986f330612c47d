// Everything but the nodes goes away under load, and comes back.
import { readdir, rename } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** What there is to lose: what is served, by which versions, and every file in the store. */
async function inventory(fleet, apps) {
  const channels = await fleet.sql(`SELECT a.name, c.generation, c.serve, c.previous_version FROM channel c JOIN app a ON a.id = c.app_id WHERE a.deleted_at IS NULL ORDER BY a.name, c.name`);
  const versions = await fleet.sql(`SELECT a.name, v.number, v.digest FROM version v JOIN app a ON a.id = v.app_id WHERE a.deleted_at IS NULL ORDER BY a.name, v.number`);
  const served = await fleet.sql(`
    SELECT n.name AS node, s.value->>'app' AS app, s.value->>'channel' AS channel, s.value->>'generation' AS generation
    FROM node n, jsonb_array_elements(n.report->'statuses') s WHERE s.value->>'app' = ANY($1) ORDER BY 1, 2, 3`, [apps]);
  const files = (await readdir(fleet.folder('store'), { recursive: true })).sort();
  return { channels, versions, served, files };
}

/** Requests that the platform has counted, by `app/version`. */
async function counted(fleet, apps) {
  const counts = {};
  for (const app of apps) {
    const { byVersion } = await fleet.call('GET', `/v1/apps/${app}/usage`);
    for (const { version, requests } of byVersion) counts[`${app}/${version}`] = (counts[`${app}/${version}`] ?? 0) + requests;
  }
  return counts;
}

/**
 * Serves `apps` under `rate` requests/s, takes control planes, PostgreSQL and the artifact store away for `seconds`, restarts a node meanwhile, and brings everything back.
 * Answers what became of the requests, what there was before and after, and what was answered and counted, by `app/version`.
 */
export async function outage(fleet, { rate, seconds, apps = ['one', 'two', 'three'] }) {
  for (const app of apps) await fleet.deploy(app, `${app} 1`);
  await fleet.deploy(apps[0], `${apps[0]} 2`);
  const before = await inventory(fleet, apps);
  const load = fleet.load({ rate, apps });
  await sleep(1_000);

  await Promise.all(fleet.planes.map((plane) => plane.kill()));
  await fleet.postgres.stop();
  const store = fleet.folder('store');
  await rename(store, `${store}.away`);
  await sleep((seconds * 1_000) / 2);
  await fleet.restartInTurn(fleet.nodes.at(-1));
  await sleep((seconds * 1_000) / 2);

  await rename(`${store}.away`, store);
  await fleet.postgres.start();
  await Promise.all(fleet.planes.map((plane) => plane.start()));
  await fleet.untilLive(fleet.nodes.map(({ name }) => name));
  await sleep(1_000);
  const outcome = await fleet.judge(load);
  const answered = outcome.byVersion;
  let usage = {};
  const same = () => JSON.stringify(Object.entries(usage).sort()) === JSON.stringify(Object.entries(answered).sort());
  await fleet.until('usage is what was answered', async () => {
    usage = await counted(fleet, apps);
    return same();
  }, 30_000).catch(() => {});
  return { outcome, before, after: await inventory(fleet, apps), answered, usage };
}
