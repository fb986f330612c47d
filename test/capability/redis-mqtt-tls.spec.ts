import { connect, type AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { RuntimeGrant } from '#contract/runtime-grant.js';
import { hasOpenssl, makeCertificates, type TestCertificates } from '../fixtures/certificates.js';
import { hasMosquitto, startMosquitto } from '../fixtures/servers/mosquitto.js';
import { hasRedis, startRedis } from '../fixtures/servers/redis.js';
import type { TestServer } from '../fixtures/servers/server-process.js';
import { bytes, ok, TestGuest } from './guest-state.js';

const OPEN = '[static]connection.open';
let guest: TestGuest;
let certificates: TestCertificates;
const proxies: Server[] = [];
beforeAll(() => {
  if (hasOpenssl) certificates = makeCertificates('localhost');
});
afterEach(() => guest.dispose());
afterAll(() => {
  for (const proxy of proxies) proxy.close();
});

/** Ends TLS in front of a server. */
async function withTls({ port }: TestServer): Promise<number> {
  const proxy = createServer({ key: certificates.key, cert: certificates.cert }, (secure) => {
    const inner = connect(port, '127.0.0.1');
    secure.on('error', () => inner.destroy()).pipe(inner).on('error', () => secure.destroy()).pipe(secure);
  });
  proxies.push(proxy);
  await new Promise<void>((resolve) => { proxy.listen(0, 'localhost', resolve); });
  return (proxy.address() as AddressInfo).port;
}

/** One that the operator lets trust the certificate, or not. */
function guestOf(scheme: string, trusts: boolean): TestGuest {
  const clientTls = trusts ? [{ componentIds: ['main'], hosts: ['localhost'], caUseRoots: false, caRoots: certificates.ca }] : [];
  return (guest = new TestGuest({ allowedOutboundHosts: [`${scheme}://localhost:*`], runtime: RuntimeGrant.parse({ clientTls }) }));
}

const missing = (program: string, isThere: boolean) => (isThere && hasOpenssl ? '' : ` (left out: ${isThere ? 'openssl' : program} is not installed)`);

(hasRedis && hasOpenssl ? describe : describe.skip)(`redis over TLS${missing('redis-server', hasRedis)}`, () => {
  let server: TestServer;
  let address: string;
  beforeAll(async () => {
    server = (await startRedis())!;
    address = `rediss://localhost:${await withTls(server)}`;
  });
  afterAll(() => server.stop());

  it('is spoken to by a component, with the roots that the operator gives', async () => {
    const call = guestOf('rediss', true).calls('fermyon:spin/redis@2.0.0');
    const it = ok(await call(OPEN, address));
    await call('[method]connection.set', it, 'k', bytes('v'));
    expect(await call('[method]connection.get', it, 'k')).toEqual(new Uint8Array(bytes('v')));
  });

  it('is refused with a certificate that nobody trusts', async () => {
    const call = guestOf('rediss', false).calls('fermyon:spin/redis@2.0.0');
    expect(await call(OPEN, address)).toMatchObject({ payload: { tag: 'other', val: 'the certificate of the server is not trusted' } });
  });
});

(hasMosquitto && hasOpenssl ? describe : describe.skip)(`mqtt over TLS${missing('mosquitto', hasMosquitto)}`, () => {
  let broker: TestServer;
  let address: string;
  beforeAll(async () => {
    broker = (await startMosquitto())!;
    address = `mqtts://localhost:${await withTls(broker)}?client_id=guest`;
  });
  afterAll(() => broker.stop());

  const publish = (trusts: boolean) => {
    const call = guestOf('mqtts', trusts).calls('spin:mqtt/mqtt@3.0.0');
    return call('[method]connection.publish', ok(call(OPEN, address, '', '', 30n)), 'topic', bytes('x'), 'exactly-once');
  };

  it('is spoken to by a component, with the roots that the operator gives', async () => {
    expect(await publish(true)).toBeUndefined();
  });

  it('is refused with a certificate that nobody trusts', async () => {
    expect(await publish(false)).toMatchObject({ payload: { tag: 'connection-failed', val: 'the certificate of the server is not trusted' } });
  });
});
