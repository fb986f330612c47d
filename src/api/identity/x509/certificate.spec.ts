import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type TLSSocket } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { writeAuthorityCertificate, writeEndCertificate } from './certificate.js';

const HOUR_MS = 3_600_000;
const validity = { from: new Date(Date.now() - HOUR_MS), until: new Date(Date.now() + HOUR_MS) };
const pair = (name: string) => ({ name, ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) });
const pem = (key: ReturnType<typeof pair>['privateKey']): string => key.export({ type: 'pkcs8', format: 'pem' });
const ends = ['server', 'client'] as const;

describe('a written certificate', () => {
  const ca = pair('whorl CA');
  const root = writeAuthorityCertificate(ca, ca, validity);
  const node = pair('web-1.rack.2');
  const end = writeEndCertificate({ ...node, uri: 'whorl://node/web-1.rack.2', purposes: ends }, ca, validity);

  it('is read by OpenSSL as it was meant', () => {
    const authority = new X509Certificate(root);
    expect([authority.subject, authority.issuer, authority.ca]).toEqual(['CN=whorl CA', 'CN=whorl CA', true]);
    const read = new X509Certificate(end);
    expect([read.subject, read.issuer, read.ca, read.subjectAltName]).toEqual(['CN=web-1.rack.2', 'CN=whorl CA', false, 'URI:whorl://node/web-1.rack.2']);
    expect(read.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
    expect(read.validToDate.getTime()).toBe(Math.floor(validity.until.getTime() / 1000) * 1000);
    expect(read.publicKey.equals(node.publicKey)).toBe(true);
    expect(read.checkIssued(authority) && read.verify(authority.publicKey)).toBe(true);
  });

  it('has another serial number each time, of 16 bytes', () => {
    const serials = Array.from({ length: 20 }, () => new X509Certificate(writeAuthorityCertificate(ca, ca, validity)).serialNumber);
    expect(new Set(serials).size).toBe(20);
    for (const serial of serials) expect(serial).toMatch(/^[0-9A-F]{32}$/);
  });

  it('says a time after 2049 as RFC 5280 wants it', () => {
    const until = new Date('2061-02-03T04:05:06Z');
    expect(new X509Certificate(writeAuthorityCertificate(ca, ca, { from: validity.from, until })).validToDate).toEqual(until);
  });

  it('serves both sides of a connection', async () => {
    expect(await handshake({ key: pem(node.privateKey), cert: end, ca: root })).toBe('CN=web-1.rack.2');
  });

  it('is believed by those who know the CA before alone, by way of its certificate for the next one', async () => {
    const next = pair('whorl CA 2');
    const cross = writeAuthorityCertificate(next, ca, validity);
    const cert = writeEndCertificate({ ...node, uri: 'whorl://node/web-1.rack.2', purposes: ends }, next, validity) + cross;
    expect(await handshake({ key: pem(node.privateKey), cert, ca: root })).toBe('CN=web-1.rack.2');
    expect(await handshake({ key: pem(node.privateKey), cert, ca: writeAuthorityCertificate(next, next, validity) })).toBe('CN=web-1.rack.2');
  });

  it('is refused by those who know another CA', async () => {
    const other = pair('whorl CA');
    await expect(handshake({ key: pem(node.privateKey), cert: end, ca: writeAuthorityCertificate(other, other, validity) })).rejects.toThrow();
  });
});

/** Connects two ends that both have this certificate; the name that the server sees. */
async function handshake({ key, cert, ca }: { key: string; cert: string; ca: string }): Promise<string | undefined> {
  const server = createServer({ key, cert, ca, requestCert: true, rejectUnauthorized: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const seen = once(server, 'secureConnection') as Promise<[TLSSocket]>;
    const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', key, cert, ca, checkServerIdentity: () => undefined });
    client.on('error', () => {});
    const [socket] = await Promise.race([seen, once(client, 'close').then(() => { throw new Error('refused'); })]);
    const subject = socket.getPeerX509Certificate()?.subject;
    client.destroy();
    socket.destroy();
    return subject;
  } finally {
    server.close();
  }
}
