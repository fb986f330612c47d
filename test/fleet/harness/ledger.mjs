// What the deployments' table allowed at each moment, and what of a load's answers it did not allow.
import pg from 'pg';

const LOOK_MS = 50;
/** A kept connection to a node that is killed takes a request until we hear of its end. */
const KILL_HEARD_MS = 250;

/**
 * Each generation of a channel is kept in the database with the moment it was made (`deployment`). It may answer from then on, until every live node that holds the channel has said that it
 * has switched to a later one. That is looked for every 50 ms, in the nodes' reports: an answer is let pass for so long, and no longer.
 */
export class Ledger {
  /** By app: `{generation, versions, fromMs, untilMs}`, oldest first. */
  generations = new Map();
  /** By app: the text that a version answers. */
  versions = new Map();
  timer = null;
  looking = null;

  constructor(databaseUrl) { this.databaseUrl = databaseUrl; }

  begin() {
    this.timer = setInterval(() => { this.looking ??= this.look().catch(() => {}).finally(() => { this.looking = null; }); }, LOOK_MS);
  }

  /** Takes a last look, and looks no more. */
  async end() {
    clearInterval(this.timer);
    await this.looking;
    await this.look().catch(() => {});
    await this.client?.end().catch(() => {});
    this.client = null;
  }

  /** `text` is what the version answers. */
  name(app, version, text) {
    if (!this.versions.has(app)) this.versions.set(app, new Map());
    this.versions.get(app).set(text, version);
  }

  /** Nodes that are killed or cut off are not heard of: what they said last does not hold the others up. */
  async look() {
    const client = await this.connect();
    const { rows } = await client.query(`
      SELECT a.name AS app, d.generation, d.serve, d.at,
        (SELECT min((s.value->>'generation')::int) FROM node n, jsonb_array_elements(n.report->'statuses') s
          WHERE n.last_seen > now() - interval '5 seconds' AND s.value->>'app' = a.name AND s.value->>'channel' = c.name) AS least
      FROM deployment d JOIN channel c ON c.id = d.channel_id JOIN app a ON a.id = c.app_id
      WHERE a.deleted_at IS NULL AND c.name = 'production' ORDER BY d.generation`);
    const now = Date.now();
    for (const { app, generation, serve, at, least } of rows) {
      const known = this.generations.get(app) ?? this.generations.set(app, []).get(app);
      let entry = known.find((each) => each.generation === generation);
      if (!entry) known.push((entry = { generation, versions: serve.filter(({ percent }) => percent > 0).map(({ version }) => version), fromMs: at.getTime(), untilMs: Infinity }));
      if (entry.untilMs === Infinity && least !== null && least > generation) entry.untilMs = now;
    }
  }

  /** Whether a version could answer a request that was under way from `startMs` to `endMs`. */
  allows(app, version, startMs, endMs) {
    return (this.generations.get(app) ?? []).some(({ versions, fromMs, untilMs }) => versions.includes(version) && fromMs <= endMs && untilMs >= startMs);
  }

  /**
   * What became of the requests: `failed` by cause (`failures`: the same, one by one), `inFlight` (lost on a node that was killed then), `disallowed` answers, `retried` (not sent the first time), `byVersion`.
   * @param killed `{node, atMs, goneMs}` of each kill
   */
  judge(rows, killed = []) {
    const result = { requests: rows.length, answered: 0, inFlight: 0, retried: 0, failed: {}, failures: [], disallowed: [], byVersion: {} };
    for (const row of rows) {
      if (row.tries > 0) result.retried++;
      if (row.status === 0 && killed.some(({ node, atMs, goneMs }) => node === row.node && row.startMs <= goneMs + KILL_HEARD_MS && row.endMs >= atMs)) result.inFlight++;
      else if (row.status !== 200) {
        const cause = row.status === 0 ? row.text : `${row.status} ${row.text.slice(0, 80)}`.trim();
        result.failed[cause] = (result.failed[cause] ?? 0) + 1;
        result.failures.push(row);
      } else {
        result.answered++;
        const version = this.versions.get(row.app)?.get(row.text);
        const key = `${row.app}/${version}`;
        result.byVersion[key] = (result.byVersion[key] ?? 0) + 1;
        if (version === undefined || !this.allows(row.app, version, row.startMs, row.endMs)) result.disallowed.push({ ...row, version });
      }
    }
    return result;
  }

  async connect() {
    if (this.client) return this.client;
    const client = new pg.Client({ connectionString: this.databaseUrl, connectionTimeoutMillis: 2_000, query_timeout: 5_000 });
    client.on('error', () => { if (this.client === client) this.client = null; });
    client.on('end', () => { if (this.client === client) this.client = null; });
    await client.connect();
    this.client = client;
    return client;
  }
}
