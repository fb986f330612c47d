import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { reservePort } from './ports.js';

async function taken(): Promise<{ server: Server; port: number }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as { port: number }).port };
}

describe(reservePort.name, () => {
  it('finds a free one for 0', async () => {
    expect(await reservePort({ host: '127.0.0.1', port: 0, flag: '--api-port', patienceMs: 0 })).toBeGreaterThan(0);
  });

  it('refuses one in use, by number and flag', async () => {
    const { server, port } = await taken();
    await expect(reservePort({ host: '127.0.0.1', port, flag: '--api-port', patienceMs: 0 })).rejects.toMatchObject({
      code: 'UP_PORT_IN_USE', message: `port ${port} (--api-port) is in use by another process`,
    });
    server.close();
  });

  it('waits for one that is being let go of', async () => {
    const { server, port } = await taken();
    setTimeout(() => server.close(), 150);
    expect(await reservePort({ host: '127.0.0.1', port, flag: '--api-port', patienceMs: 5_000 })).toBe(port);
  });

  it('says why an address cannot be used', async () => {
    await expect(reservePort({ host: '192.0.2.1', port: 0, flag: '--http-port', patienceMs: 0 })).rejects.toMatchObject({
      code: 'UP_PORT_IN_USE', message: expect.stringContaining('EADDRNOTAVAIL'),
    });
  });
});
