import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { NO_RUNTIME_GRANT } from '#contract/runtime-grant.js';
import type { GuestGrant } from '#runtime/capability/guest.js';
import { hasOpenssl, makeCertificates, type TestCertificates } from '../fixtures/certificates.js';
import { startPostgresServer, type PostgresServer } from '../fixtures/servers/postgres.js';
import { ok, TestGuest } from './guest-state.js';

const suite = hasOpenssl ? describe : describe.skip;
const V41 = 'spin:postgres/postgres@4.1.0';

let server: PostgresServer;
let certificates: TestCertificates;
beforeAll(async () => {
  if (!hasOpenssl) return;
  certificates = makeCertificates();
  server = await startPostgresServer(certificates);
});
afterAll(() => server?.stop());

const guests: TestGuest[] = [];
afterEach(() => guests.splice(0).forEach((guest) => guest.dispose()));

function guestOf(grant: Partial<GuestGrant> = {}) {
  const guest = new TestGuest({ allowedOutboundHosts: [`postgres://*:${server.port}`], ...grant });
  guests.push(guest);
  return guest.calls(V41);
}

/** Whether the session is encrypted, over a connection from the builder. */
async function built(address: string, caRoot: string | null, grant: Partial<GuestGrant> = {}) {
  const call = guestOf(grant);
  const builder = call('[constructor]connection-builder', address);
  if (caRoot !== null) expect(call('[method]connection-builder.set-ca-root', builder, caRoot)).toBeUndefined();
  const connection = await call('[method]connection-builder.build', builder);
  if ('payload' in connection) return connection.payload;
  return ok(await call('[method]connection.query', connection, 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()', [])).rows[0][0].val;
}

suite(`spin:postgres over TLS${hasOpenssl ? '' : ' (left out: openssl is not installed)'}`, () => {
  const untrusted = { tag: 'connection-failed', val: 'the certificate of the server is not trusted' };

  it('is used unless it is disabled, with the root that the guest sets', async () => {
    for (const mode of ['prefer', 'require', 'verify-ca', 'verify-full']) expect([mode, await built(`${server.url()}?sslmode=${mode}`, certificates.ca)]).toEqual([mode, true]);
    expect(await built(`${server.address()}`, certificates.ca)).toBe(true);
    expect(await built(`${server.url()}?sslmode=disable`, null)).toBe(false);
  });

  it('trusts no certificate that the roots do not vouch for', async () => {
    for (const mode of ['prefer', 'require', 'verify-ca', 'verify-full']) expect([mode, await built(`${server.url()}?sslmode=${mode}`, null)]).toEqual([mode, untrusted]);
    expect(await built(server.url(), makeCertificates().ca)).toEqual(untrusted);
  });

  it('checks the name of the server, unless only its root counts', async () => {
    const byAddress = server.url().replace('localhost', '127.0.0.1');
    expect(await built(`${byAddress}?sslmode=verify-full`, certificates.ca)).toEqual(untrusted);
    expect(await built(`${byAddress}?sslmode=verify-ca`, certificates.ca)).toBe(true);
  });

  it('takes roots that the operator sets for the component', async () => {
    const entry = { componentIds: ['main'], hosts: ['localhost'], caUseRoots: false, caRoots: certificates.ca };
    const runtime = { ...NO_RUNTIME_GRANT, clientTls: [entry] };
    expect(await built(server.url(), null, { runtime })).toBe(true);
    expect(await built(server.url(), null, { runtime, component: 'other' })).toEqual(untrusted);
  });

  it('cancels over TLS, too', async () => {
    const guest = new TestGuest({ allowedOutboundHosts: [`postgres://*:${server.port}`] });
    const call = guest.calls(V41);
    const open = async () => {
      const builder = call('[constructor]connection-builder', server.url());
      call('[method]connection-builder.set-ca-root', builder, certificates.ca);
      return ok(await call('[method]connection-builder.build', builder));
    };
    const connection = await open();
    const sleep = call('[method]connection.query', connection, 'SELECT pg_sleep(600)', []).catch((error: Error) => error);
    await new Promise((resolve) => { setTimeout(resolve, 200); });
    guest.next();
    expect(await sleep).toBeInstanceOf(Error);
    const observer = await open();
    for (;;) {
      const { rows } = ok(await call('[method]connection.query', observer, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'", []));
      if (rows[0][0].val === 0n) break;
      await new Promise((resolve) => { setTimeout(resolve, 20); });
    }
    guest.dispose();
  });
});
