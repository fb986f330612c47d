import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { NO_RUNTIME_GRANT } from '#contract/runtime-grant.js';
import type { GuestGrant } from '#runtime/capability/guest.js';
import { hasOpenssl, makeCertificates, type TestCertificates } from '../fixtures/certificates.js';
import { hasMariadb, startMariadb, type MariadbServer } from '../fixtures/servers/mariadb.js';
import { ok, TestGuest } from './guest-state.js';

const canRun = hasOpenssl && hasMariadb;
const suite = canRun ? describe : describe.skip;

let server: MariadbServer;
let certificates: TestCertificates;
beforeAll(async () => {
  if (!canRun) return;
  certificates = makeCertificates();
  server = (await startMariadb(certificates))!;
});
afterAll(() => server?.stop());

const guests: TestGuest[] = [];
afterEach(() => guests.splice(0).forEach((guest) => guest.dispose()));

/** The cipher of the session, empty in clear; or the error. */
async function cipherOf(url: string, grant: Partial<GuestGrant> = {}) {
  const guest = new TestGuest({ allowedOutboundHosts: ['mysql://*:*'], ...grant });
  guests.push(guest);
  const call = guest.calls('fermyon:spin/mysql@2.0.0');
  const connection = await call('[static]connection.open', url);
  if ('payload' in connection) return connection.payload;
  return ok(await call('[method]connection.query', connection, "SHOW STATUS LIKE 'Ssl_cipher'", [])).rows[0][1].val;
}

suite(`spin:mysql over TLS${canRun ? '' : ' (left out: mariadbd or openssl is not installed)'}`, () => {
  const trusting = () => ({ ...NO_RUNTIME_GRANT, clientTls: [{ componentIds: ['main'], hosts: ['localhost', '127.0.0.1'], caUseRoots: false, caRoots: certificates.ca }] });

  it('is used when the address asks for it, with the roots that the operator sets', async () => {
    expect(await cipherOf(server.url('spin_dev', '?ssl-mode=required'), { runtime: trusting() })).toMatch(/\w/);
    expect(await cipherOf(server.url('spin_dev', '?ssl-mode=disabled'))).toBe('');
    expect(await cipherOf(server.url())).toBe('');
  });

  it('trusts no certificate that the roots do not vouch for, nor one for another name', async () => {
    const refused = (why: string) => ({ tag: 'connection-failed', val: expect.stringContaining(`no secure connection could be made: ${why}`) });
    const required = server.url('spin_dev', '?ssl-mode=required');
    expect(await cipherOf(required)).toEqual(refused('unable to verify the first certificate'));
    expect(await cipherOf(required, { runtime: trusting(), component: 'other' })).toEqual(refused('unable to verify the first certificate'));
    expect(await cipherOf(required.replace('localhost', '127.0.0.1'), { runtime: trusting() })).toEqual(refused(''));
  });
});
