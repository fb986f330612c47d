import pg from 'pg';

/** The connection that holds a lock. */
export type Session = Pick<pg.Client, 'query'>;

/** Far longer than anything that is asked over such a connection. */
const QUERY_TIMEOUT_MS = 30_000;

/**
 * Runs `work` while this process alone holds an advisory lock of the database, on a connection of its own; undefined when somebody else
 * holds it. The signal aborts when the connection, and with it the lock, is lost; what is written over `session` is written while it is held.
 */
export async function withSessionLock<T>(url: string, key: number, work: (signal: AbortSignal, session: Session) => Promise<T>): Promise<T | undefined> {
  const lost = new AbortController();
  const client = new pg.Client({ connectionString: url, keepAlive: true, query_timeout: QUERY_TIMEOUT_MS });
  const lose = (): void => lost.abort(new Error('the connection that holds the lock is lost'));
  client.on('error', lose);
  client.on('end', lose);
  await client.connect();
  try {
    // A holder that is cut off is to lose the lock in seconds, not in the hours of the defaults.
    await client.query('SET tcp_keepalives_idle = 4; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3');
    const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [key]);
    return rows[0]!.locked ? await work(lost.signal, client) : undefined;
  } finally {
    await client.end().catch(() => {});
  }
}
