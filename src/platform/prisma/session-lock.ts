import pg from 'pg';

/**
 * Runs `work` while this process alone holds an advisory lock of the database, on a connection of its own; undefined when somebody else
 * holds it. The signal aborts when the connection, and with it the lock, is lost.
 */
export async function withSessionLock<T>(url: string, key: number, work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
  const lost = new AbortController();
  const client = new pg.Client({ connectionString: url, keepAlive: true });
  const lose = (): void => lost.abort(new Error('the connection that holds the lock is lost'));
  client.on('error', lose);
  client.on('end', lose);
  await client.connect();
  try {
    const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [key]);
    return rows[0]!.locked ? await work(lost.signal) : undefined;
  } finally {
    await client.end().catch(() => {});
  }
}
