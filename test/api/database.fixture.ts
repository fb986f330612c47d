import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type EmbeddedPostgres, startPostgres } from '#platform/postgres/embedded-postgres.js';

/** A real PostgreSQL for one spec file, with as many fresh databases as it likes. */
export class DatabaseFixture {
  private constructor(
    private readonly dir: string,
    private readonly postgres: EmbeddedPostgres,
  ) {}

  static async start(): Promise<DatabaseFixture> {
    const dir = await mkdtemp(join(tmpdir(), 'whorl-db-'));
    return new DatabaseFixture(dir, await startPostgres({ dir }));
  }

  /** URL of a new empty database. */
  async create(): Promise<string> {
    const name = `db_${randomUUID().replaceAll('-', '')}`;
    await this.query(this.postgres.url, `CREATE DATABASE ${name}`);
    const url = new URL(this.postgres.url);
    url.pathname = `/${name}`;
    return url.href;
  }

  async query(url: string, text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query(text, values)).rows as Record<string, unknown>[];
    } finally {
      await client.end();
    }
  }

  async stop(): Promise<void> {
    await this.postgres.stop();
    await rm(this.dir, { recursive: true, force: true });
  }
}
