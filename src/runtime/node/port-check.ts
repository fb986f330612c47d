import { createServer } from 'node:net';
import { WhorlError } from '#contract/errors.js';

/** Finds out early, before anything is started, that nobody could listen there. Throws NODE_PORT_IN_USE or NODE_LISTEN_FAILED. */
export function checkPort({ host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      const code = error.code === 'EADDRINUSE' ? 'NODE_PORT_IN_USE' : 'NODE_LISTEN_FAILED';
      reject(new WhorlError(code, `${host} port ${port}: ${error.message}`, { cause: error }));
    });
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve()));
  });
}
