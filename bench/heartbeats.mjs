// What heartbeats of a fleet cost the database: each node's whole report as a statement of its own, as before, against batches that say that nothing is new.
//   node bench/heartbeats.mjs [nodes] [rounds]      after `npm run build`
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

const root = new URL('../dist/', import.meta.url);
const { startPostgres } = await import(new URL('platform/postgres/embedded-postgres.js', root));
const { migrate } = await import(new URL('platform/prisma/migrator.js', root));
const { PrismaService } = await import(new URL('platform/prisma/prisma.service.js', root));
const { NodeMessageRepository } = await import(new URL('api/nodes/node-message.repository.js', root));

const NODES = Number(process.argv[2] ?? 1_000);
const ROUNDS = Number(process.argv[3] ?? 10);
/** As many as come within 50 ms when each node says something once a second. */
const BATCH = Math.max(1, Math.round(NODES / 20));
const CHANNELS = 156;
const LOADED = 15;

const dir = await mkdtemp(join(tmpdir(), 'whorl-heartbeats-'));
const postgres = await startPostgres({ dir });
try {
  await migrate(postgres.url, fileURLToPath(new URL('../prisma/migrations/', import.meta.url)));
  const prisma = new PrismaService(postgres.url);
  const pool = new pg.Pool({ connectionString: postgres.url, max: 4 });
  const messages = new NodeMessageRepository(prisma);
  const statuses = Array.from({ length: CHANNELS }, (_, i) => ({ app: `app-${i}`, channel: 'production', generation: 3, variablesRevision: 1, placement: 2, prepared: [1, 2], failed: [] }));
  const names = Array.from({ length: NODES }, (_, i) => `node-${i}`);
  for (const node of names) await messages.put({ node, incarnation: 'i', startCount: 1, sequence: 1, runners: 2, statuses, farewell: null }, 'digest');
  const load = { spanMs: 1_000, channels: Array.from({ length: LOADED }, (_, i) => ({ app: `app-${i}`, channel: 'production', inFlight: 1.5, requests: 20, cpuMs: 12.5 })) };

  let sequence = 1;
  const single = () => Promise.all(names.map((node) => messages.touch({ node, startCount: 1, sequence }, 'digest')));
  const batched = (withLoad) => async () => {
    for (let at = 0; at < NODES; at += BATCH) {
      await messages.beat(names.slice(at, at + BATCH).map((node) => ({ node, startCount: 1, sequence, reported: 1, load: withLoad ? load : null })));
    }
  };
  const rows = { 'one statement each': [single, []], 'batches': [batched(false), []], 'batches with the load of 15 channels': [batched(true), []] };
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [run, took] of Object.values(rows)) {
      sequence++;
      // Whoever is late is asked for the whole report.
      await pool.query(run === single ? 'UPDATE node SET last_seen = now()' : 'UPDATE node SET last_seen = now(), reported = 1');
      const wal = (await pool.query('SELECT pg_current_wal_insert_lsn() AS lsn')).rows[0].lsn;
      const from = performance.now();
      await run();
      const ms = performance.now() - from;
      const { bytes } = (await pool.query('SELECT pg_current_wal_insert_lsn() - $1::pg_lsn AS bytes', [wal])).rows[0];
      // The first round warms up.
      if (round > 0) took.push({ ms, bytes: Number(bytes) });
    }
  }
  const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
  console.log(`${NODES} nodes, batches of ${BATCH}, median of ${ROUNDS} rounds`);
  for (const [what, [, took]] of Object.entries(rows)) {
    console.log(`${what.padEnd(40)} ${median(took.map(({ ms }) => ms)).toFixed(0).padStart(6)} ms for all nodes  ${(median(took.map(({ bytes }) => bytes)) / NODES).toFixed(0).padStart(6)} bytes of WAL each`);
  }
  await pool.end();
  await prisma.$disconnect();
} finally {
  await postgres.stop();
  await rm(dir, { recursive: true, force: true });
}
