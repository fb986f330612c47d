import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { NO_RUNTIME_GRANT, type ClientTls } from '#contract/runtime-grant.js';
import type { GuestGrant } from '#runtime/capability/guest.js';
import { dial } from '#runtime/capability/outbound/dial.js';
import { hasOpenssl, makeCertificates, type TestCertificates } from '../fixtures/certificates.js';
import { OutboundGuest } from './outbound-guest.js';

const suite = hasOpenssl ? describe : describe.skip;
const why = hasOpenssl ? '' : ' (left out: there is no openssl)';

suite(`outbound TLS${why}`, () => {
  const guests: OutboundGuest[] = [];
  let ours: TestCertificates;
  let client: TestCertificates;
  let plain: Server;
  let mutual: Server;
  let second: Http2SecureServer;
  const port = (server: Server | Http2SecureServer) => (server.address() as AddressInfo).port;

  beforeAll(async () => {
    [ours, client] = [makeCertificates('localhost'), makeCertificates('client')];
    const { cert, key } = ours;
    plain = createServer({ cert, key }, (request, response) => response.end(`${request.httpVersion} ${request.url}`));
    mutual = createServer({ cert, key, ca: client.ca, requestCert: true }, (request, response) =>
      response.end(String((request.socket as TLSSocket).getPeerCertificate().subject?.CN ?? 'nobody')));
    second = createSecureServer({ cert, key, allowHTTP1: true }, (request, response) => void request.on('data', () => undefined).on('end', () => response.end(request.httpVersion)));
    for (const server of [plain, mutual, second]) {
      server.on('tlsClientError', () => undefined).listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
  });
  afterAll(() => {
    plain.close();
    mutual.close();
    second.close();
  });
  afterEach(() => guests.splice(0).forEach((guest) => guest.dispose()));

  function guestWith(tls: Partial<ClientTls>[], grant: Partial<GuestGrant> = {}) {
    const clientTls = tls.map((each) => ({ componentIds: ['main'], hosts: ['localhost'], caUseRoots: false, ...each }));
    const guest = new OutboundGuest({ allowedOutboundHosts: ['*://*:*'], runtime: { ...NO_RUNTIME_GRANT, clientTls }, ...grant });
    guests.push(guest);
    return guest;
  }
  const at = (server: Server | Http2SecureServer, host = 'localhost') => `https://${host}:${port(server)}/`;

  it('trusts the roots that the operator names, for the components and hosts of the entry alone', async () => {
    expect(await guestWith([{ caRoots: ours.ca }]).send(at(plain))).toEqual({ status: 200, body: '1.1 /' });
    expect(await guestWith([{ caRoots: ours.ca, hosts: ['other.example', 'LOCALHOST'] }]).send(at(plain))).toMatchObject({ status: 200 });
    expect(await guestWith([{ caRoots: ours.ca, caUseRoots: true }]).send(at(plain))).toMatchObject({ status: 200 });
    expect(await guestWith([]).send(at(plain))).toBe('TLS-certificate-error');
    expect(await guestWith([{ caRoots: ours.ca, hosts: ['other.example', '*.localhost'] }]).send(at(plain))).toBe('TLS-certificate-error');
    expect(await guestWith([{ caRoots: ours.ca, componentIds: ['another'] }]).send(at(plain))).toBe('TLS-certificate-error');
  });

  it('takes the first entry that names the component and the host', async () => {
    expect(await guestWith([{ caRoots: client.ca }, { caRoots: ours.ca }]).send(at(plain))).toBe('TLS-certificate-error');
  });

  it('checks the name in the certificate, of addresses too', async () => {
    expect(await guestWith([{ caRoots: ours.ca, hosts: ['127.0.0.1'] }]).send(at(plain, '127.0.0.1'))).toBe('TLS-certificate-error');
  });

  it('shows the client certificate to whom it is for', async () => {
    const identity = { clientCert: client.cert, clientPrivateKey: client.key };
    expect(await guestWith([{ caRoots: ours.ca, ...identity }]).send(at(mutual))).toEqual({ status: 200, body: 'client' });
    expect(await guestWith([{ caRoots: ours.ca }]).send(at(mutual))).not.toEqual({ status: 200, body: 'client' });
  });

  it('says what a certificate is that cannot be read', async () => {
    expect(await guestWith([{ caRoots: ours.ca, clientCert: 'no PEM', clientPrivateKey: 'no PEM' }]).send(at(plain))).toMatch(/^(internal-error|TLS-protocol-error)$/);
  });

  it('opens other connections when the operator changes what is trusted', async () => {
    const guest = guestWith([{ caRoots: ours.ca }]);
    expect(await guest.send(at(plain))).toMatchObject({ status: 200 });
    (guest.guest.grant as { runtime: typeof NO_RUNTIME_GRANT }).runtime = NO_RUNTIME_GRANT;
    expect(await guest.send(at(plain))).toBe('TLS-certificate-error');
  });

  it('holds for dial as well, under what the caller asks for', async () => {
    const { grant } = guestWith([{ caRoots: ours.ca, clientCert: client.cert, clientPrivateKey: client.key }]).guest;
    const secure = await dial(grant, { host: 'localhost', port: port(mutual), tls: {} });
    expect((secure as TLSSocket).authorized).toBe(true);
    secure.destroy();
    await expect(dial(grant, { host: 'localhost', port: port(mutual), tls: { ca: client.ca } })).rejects.toMatchObject({ code: expect.stringMatching(/UNABLE|SELF_SIGNED/) });
    const { grant: without } = guestWith([]).guest;
    const own = await dial(without, { host: 'localhost', port: port(plain), tls: { ca: ours.ca } });
    expect((own as TLSSocket).authorized).toBe(true);
    own.destroy();
  });

  it('speaks HTTP/1.1, also with a server that speaks HTTP/2', async () => {
    const guest = guestWith([{ caRoots: ours.ca }]);
    const all = await Promise.all(Array.from({ length: 20 }, () => guest.send(at(second), { method: 'POST', body: 'hello' })));
    expect(new Set(all.map((each) => JSON.stringify(each)))).toEqual(new Set(['{"status":200,"body":"1.1"}']));
  });
});
