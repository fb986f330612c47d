import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { NodeName } from '#contract/ids.js';
import { type NodeCredentials, nodeUri } from '#contract/node-identity.js';
import { bits, context, integer, octets, oid, primitive, sequence, set, time, utf8, yes } from '../../registry/trust/der.js';

const ECDSA_SHA256 = '1.2.840.10045.4.3.2';
const DAY_MS = 86_400_000;
const spki = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });
const keyPair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const name = (text: string): Buffer => sequence(set(sequence(oid('2.5.4.3'), utf8(text))));
const extension = (id: string, critical: boolean, content: Uint8Array): Buffer => sequence(oid(id), ...(critical ? [yes] : []), octets(content));
const pem = (certificate: Buffer): string => `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;

/** A certificate authority for nodes, as the platform's own is. */
export class TestAuthority {
  private readonly ca = keyPair();
  private readonly issuer = name('test authority');
  private serial = 0;
  readonly certificate = pem(this.issue(this.issuer, spki(this.ca.publicKey), [
    extension('2.5.29.19', true, sequence(yes)), extension('2.5.29.15', true, bits(Buffer.from([0x06]), 1)),
  ]));

  /** What makes somebody this node in the eyes of those who trust `trusted`. */
  credentials(node: string, { trusted = [this.certificate], denied = [] }: { trusted?: string[]; denied?: NodeCredentials['denied'] } = {}): NodeCredentials {
    const { publicKey, privateKey } = keyPair();
    const certificate = this.issue(name(node), spki(publicKey), [
      extension('2.5.29.15', true, bits(Buffer.from([0x80]), 7)),
      extension('2.5.29.37', false, sequence(oid('1.3.6.1.5.5.7.3.1'), oid('1.3.6.1.5.5.7.3.2'))),
      extension('2.5.29.17', false, sequence(primitive(6, Buffer.from(nodeUri(node))))),
    ]);
    return { node: node as NodeName, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), certificate: pem(certificate), authorities: trusted, denied };
  }

  private issue(subject: Buffer, key: Buffer, extensions: Buffer[]): Buffer {
    const algorithm = sequence(oid(ECDSA_SHA256));
    const validity = sequence(time(new Date(Date.now() - DAY_MS)), time(new Date(Date.now() + DAY_MS)));
    const tbs = sequence(context(0, integer(2)), integer(++this.serial), algorithm, this.issuer, validity, subject, key, context(3, sequence(...extensions)));
    return sequence(tbs, algorithm, bits(sign('sha256', tbs, this.ca.privateKey)));
  }
}
