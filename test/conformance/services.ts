import { DatabaseFixture } from '../api/database.fixture.js';
import type { CasePorts, Service } from './spin-cases.js';

interface Started {
  port: number;
  stop(): Promise<void>;
}

/** Servers that the cases talk to; a port is missing where the program is not on this machine. */
export interface Services {
  ports: Partial<CasePorts>;
  stop(): Promise<void>;
}

/** Starts the given servers, those whose start gives null left out, and a PostgreSQL with the rows that the suite seeds. */
export async function startServices(starts: Partial<Record<Exclude<Service, 'postgres'>, () => Promise<Started | null>>>): Promise<Services> {
  const [postgres, ...others] = await Promise.all([
    startPostgres(),
    ...Object.entries(starts).map(async ([service, start]) => [service, await start()] as const),
  ]);
  const started = others.flatMap(([service, server]) => (server ? [[service, server] as const] : []));
  return {
    ports: { postgres: postgres.port, ...Object.fromEntries(started.map(([service, { port }]) => [service, port])) },
    stop: async () => {
      await Promise.all([postgres.stop(), ...started.map(([, server]) => server.stop())]);
    },
  };
}

async function startPostgres(): Promise<Started> {
  const fixture = await DatabaseFixture.start();
  const url = new URL(await fixture.create());
  await fixture.query(url.href, 'CREATE ROLE postgres LOGIN SUPERUSER PASSWORD \'postgres\'');
  await fixture.query(url.href, 'CREATE DATABASE spin_dev OWNER postgres');
  url.pathname = '/spin_dev';
  await fixture.query(url.href, SEED);
  return { port: Number(url.port), stop: () => fixture.stop() };
}

/** Two rows in each table, as the suite expects. */
const SEED = `
  CREATE TABLE test_numeric (intid integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY, rsmallserial smallserial, rsmallint smallint, rint2 int2,
    rserial serial, rint int, rint4 int4, rbigserial bigserial, rbigint bigint, rint8 int8, rreal real, rdouble double precision, rnumeric numeric(10, 9));
  INSERT INTO test_numeric (rsmallint, rint2, rint, rint4, rbigint, rint8, rreal, rdouble, rnumeric)
    SELECT 1, 2, 3, 4, 5, 6, 7.8, 9.1, 0.123456789 FROM generate_series(1, 2);
  CREATE TABLE test_character (rvarchar varchar(40), rtext text, rchar char(10));
  INSERT INTO test_character SELECT 'rvarchar', 'rtext', 'rchar' FROM generate_series(1, 2);
  CREATE TABLE test_date_time (rdate date, rtime time, rtimestamp timestamp, rinterval interval);
  INSERT INTO test_date_time SELECT '2525-12-25', '04:05:06.789', '1989-11-24 01:02:03', 'P1Y2M3DT4H5M6.7S' FROM generate_series(1, 2);
  CREATE TABLE test_json (rjsonb jsonb);
  INSERT INTO test_json SELECT '{"s":"hello","n":123,"b":true,"x":null}' FROM generate_series(1, 2);
  CREATE TABLE test_uuid (ruuid uuid);
  INSERT INTO test_uuid SELECT '12345678-1234-1234-1234-123456789abc' FROM generate_series(1, 2);
  CREATE TABLE test_nullable (rvarchar varchar(40));
  INSERT INTO test_nullable SELECT NULL FROM generate_series(1, 2);
  CREATE TABLE test_range (rint4range int4range, rint8range int8range, rnumrange numrange);
  INSERT INTO test_range SELECT '(1,40]', '[123456789012,234567890123)', '(,100)' FROM generate_series(1, 2);
  CREATE TABLE test_array (rint4arr int4[], rint8arr int8[], rdecimalarr numeric[], rtextarr text[]);
  INSERT INTO test_array SELECT '{1,2,3}', '{101,102,103,104}', '{1.234,2.345}', '{hello,mum}' FROM generate_series(1, 2);
`;
