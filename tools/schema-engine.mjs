#!/usr/bin/env node
/**
 * Prisma's `schema-engine` without its download: the native engine's argv and JSON-RPC over stdio, answered by the WASM build of
 * the same engine (npm `@prisma/schema-engine-wasm`) over node-postgres. `prisma.config.ts` points PRISMA_SCHEMA_ENGINE_BINARY here.
 * For those who write migrations; at run time src/platform/prisma/migrator.ts applies them.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import pg from 'pg';

/** Object identifiers of PostgreSQL's built-in types "char" and text. */
const OID_CHAR = 18;
const OID_TEXT = 25;
/** Code of Prisma's JSON-RPC errors that carry `data`. */
const RPC_ERROR = 4466;

const options = readArguments(process.argv.slice(2));
if (options.command[0] === 'cli') await checkDatabase(options.command[1]);
else serve();

function readArguments(args) {
  const read = { datamodels: [], datasource: undefined, command: [] };
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--version') {
      console.log('schema-engine-cli wasm');
      process.exit(0);
    } else if (args[i] === '--datamodels') read.datamodels.push(args[++i]);
    else if (args[i] === '--datasource') read.datasource = JSON.parse(args[++i]);
    else if (args[i].startsWith('--')) i++;
    else read.command.push(args[i]);
  }
  return read;
}

/** `schema` is not a parameter that PostgreSQL knows: it is taken out of the URL. */
function parseUrl(url, database) {
  const parsed = new URL(url);
  const schema = parsed.searchParams.get('schema') ?? undefined;
  parsed.searchParams.delete('schema');
  const name = decodeURIComponent(parsed.pathname.slice(1));
  if (database) parsed.pathname = `/${database}`;
  return { href: parsed.href, schema, name };
}

async function withClient(url, database, use) {
  const client = new pg.Client({ connectionString: parseUrl(url, database).href, connectionTimeoutMillis: 5000 });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** `schema-engine cli <command>`: what the CLI asks before `migrate dev`, `deploy` and `reset`. */
async function checkDatabase(command) {
  const { url } = options.datasource;
  const name = pg.escapeIdentifier(parseUrl(url).name);
  try {
    if (command === 'can-connect-to-database') await withClient(url, undefined, async () => {});
    else if (command === 'create-database') await withClient(url, 'postgres', (client) => client.query(`CREATE DATABASE ${name}`));
    else if (command === 'drop-database') await withClient(url, 'postgres', (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
    process.exit(0);
  } catch (error) {
    const code = { '3D000': 'P1003', '28P01': 'P1000', '28000': 'P1010' }[error.code] ?? 'P1001';
    const fields = { message: error.message || String(error), error_code: code };
    process.stderr.write(`\n${JSON.stringify({ level: 'ERROR', fields, target: 'schema_engine::logger' })}\n`);
    process.exit(1);
  }
}

/** Closes two gaps of the driver adapter. */
function patch(queryable) {
  const performIO = queryable.performIO.bind(queryable);
  const queryRaw = queryable.queryRaw.bind(queryable);
  const charColumns = [];
  queryable.performIO = async (query) => {
    const result = await performIO(query);
    charColumns.length = 0;
    const fields = (result.fields ?? []).map((field, i) => {
      if (field.dataTypeID !== OID_CHAR) return field;
      charColumns.push(i);
      return { ...field, dataTypeID: OID_TEXT };
    });
    return { ...result, fields };
  };
  // The describer reads the internal type "char", which the adapter refuses (prisma/orm#27403).
  queryable.queryRaw = async (query) => {
    const result = await queryRaw(query);
    for (const i of charColumns) result.columnTypes[i] = ColumnTypeEnum.Character;
    return result;
  };
  // The adapter cuts scripts at every ';', which breaks function bodies; PostgreSQL's simple protocol takes a whole script.
  queryable.executeScript = async (sql) => {
    try {
      await queryable.client.query(sql);
    } catch (error) {
      queryable.onError(error);
    }
  };
  if (queryable.startTransaction) {
    const start = queryable.startTransaction.bind(queryable);
    queryable.startTransaction = async (level) => patch(await start(level));
  }
  return queryable;
}

class AdapterFactory {
  provider = 'postgres';
  adapterName = '@prisma/adapter-pg';

  constructor(url) {
    this.url = url;
  }

  async open(database) {
    const { href, schema } = parseUrl(this.url, database);
    return patch(await new PrismaPg({ connectionString: href, idleTimeoutMillis: 50 }, { schema }).connect());
  }

  connect() {
    return this.open();
  }

  // The adapter's own shadow database ignores `database` when given a connection string: it would be the real one.
  async connectToShadowDb() {
    const name = `prisma_migrate_shadow_db_${randomUUID()}`;
    await withClient(this.url, undefined, (client) => client.query(`CREATE DATABASE "${name}"`));
    const adapter = await this.open(name);
    const dispose = adapter.dispose.bind(adapter);
    adapter.dispose = async () => {
      await dispose();
      await withClient(this.url, undefined, (client) => client.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`));
    };
    return adapter;
  }
}

async function createEngine() {
  globalThis.PRISMA_WASM_PANIC_REGISTRY ??= { set_message() {} };
  const glue = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm/schema_engine_bg');
  const bindings = await import(pathToFileURL(glue).href);
  const module = new WebAssembly.Module(readFileSync(join(dirname(glue), 'schema_engine_bg.wasm')));
  const instance = new WebAssembly.Instance(module, { './schema_engine_bg.js': bindings });
  bindings.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  const datamodels = options.datamodels.length > 0 ? options.datamodels.map((path) => [path, readFileSync(path, 'utf8')]) : undefined;
  const factory = bindMigrationAwareSqlAdapterFactory(new AdapterFactory(options.datasource?.url));
  return bindings.SchemaEngine.new({ datamodels }, () => {}, factory);
}

/** JSON-RPC, one message per line; ends when stdin has ended and nothing is under way. */
function serve() {
  const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const waiting = new Map();
  let serial = 0;
  const ask = (method, params) =>
    new Promise((resolve) => {
      const id = `engine-${++serial}`;
      waiting.set(id, resolve);
      send({ id, method, params });
    });

  // These see the shadow database only after devDiagnostic replayed the same migrations on the same engine.
  const primed = (method) => async (engine, params) => {
    await engine.devDiagnostic({ migrationsList: params.migrationsList, filters: params.filters });
    return engine[method](params);
  };
  const handlers = {
    createMigration: primed('createMigration'),
    evaluateDataLoss: primed('evaluateDataLoss'),
    getDatabaseVersion: (engine, params) => engine.version(params),
    diff: async (engine, params) => {
      const result = await engine.diff(params);
      if (result.stdout != null) await ask('print', { content: result.stdout });
      return { exitCode: result.exitCode, stdout: null };
    },
  };

  let engine;
  const answer = async ({ id, method, params }) => {
    try {
      const ready = await (engine ??= createEngine());
      const result = await (handlers[method] ? handlers[method](ready, params) : ready[method](params));
      send({ id, result: result ?? {} });
    } catch (error) {
      const data = { is_panic: false, message: String(error?.message ?? error), error_code: error?.code, meta: error?.meta };
      send({ id, error: { code: RPC_ERROR, message: 'schema engine error', data } });
    }
  };

  let underWay = 0;
  let ended = false;
  const exitWhenIdle = () => {
    if (ended && underWay === 0) process.exit(0);
  };
  createInterface({ input: process.stdin, crlfDelay: Infinity })
    .on('line', async (line) => {
      let message;
      try {
        message = JSON.parse(line);
      } catch {
        return;
      }
      if (!message.method) {
        waiting.get(message.id)?.();
        waiting.delete(message.id);
        return;
      }
      underWay++;
      await answer(message);
      underWay--;
      exitWhenIdle();
    })
    .on('close', () => {
      ended = true;
      exitWhenIdle();
    });
}
