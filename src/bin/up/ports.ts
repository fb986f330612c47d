import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WhorlError } from '#contract/errors.js';

const RETRY_MS = 50;

/** `patienceMs`: how long a port may still be taken, since a killed predecessor needs a moment to let go of it. */
export interface PortChoice {
  host: string;
  port: number;
  flag: string;
  patienceMs: number;
}

/** The port to use: the chosen one, or a free one when it is 0. Throws UP_PORT_IN_USE, which names the flag. */
export async function reservePort({ host, port, flag, patienceMs }: PortChoice): Promise<number> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      return await tryListen(host, port);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'EADDRINUSE') throw new WhorlError('UP_PORT_IN_USE', `cannot listen on ${host} port ${port} (${flag}): ${message}`, { cause: error });
      if (performance.now() > deadline) throw new WhorlError('UP_PORT_IN_USE', `port ${port} (${flag}) is in use by another process`, { cause: error });
    }
    await sleep(RETRY_MS);
  }
}

function tryListen(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, host, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : port));
    });
  });
}
