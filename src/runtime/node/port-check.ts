import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WhorlError } from '#contract/errors.js';

/** Runners of a node that was killed hold the port until they have noticed. */
const PATIENCE_MS = 1_500;
const RETRY_MS = 50;

/** Finds out early, before anything is started, that nobody could listen there. Throws NODE_PORT_IN_USE or NODE_LISTEN_FAILED. */
export async function checkPort(target: { host: string; port: number }): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const error = await tryListen(target);
    if (!error) return;
    const inUse = error.code === 'EADDRINUSE';
    const late = performance.now() > deadline;
    if (!inUse || late) throw new WhorlError(inUse ? 'NODE_PORT_IN_USE' : 'NODE_LISTEN_FAILED', `${target.host} port ${target.port}: ${error.message}`, { cause: error });
    await sleep(RETRY_MS);
  }
}

function tryListen({ host, port }: { host: string; port: number }): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
