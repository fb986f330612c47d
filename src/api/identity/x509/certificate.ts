import { createHash, type KeyObject, randomBytes, sign } from 'node:crypto';
import { bits, explicit, implicit, integer, octets, oid, sequence, set, time, utf8, yes } from './der.js';

const COMMON_NAME = '2.5.4.3';
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';
const EXTENSIONS = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
} as const;
const PURPOSES = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const;
const URI_NAME = 6;
const KEY_IDENTIFIER = 0;
/** Bit 0. */
const DIGITAL_SIGNATURE = { content: Buffer.from([0x80]), unused: 7 };
/** Bits 5 and 6: keyCertSign, cRLSign. */
const SIGNS_CERTIFICATES = { content: Buffer.from([0x06]), unused: 1 };
/** RFC 5280 §4.1.2.2: at most 20 bytes, positive. 16 random ones never meet again. */
const SERIAL_BYTES = 16;

export interface CertificateSubject {
  name: string;
  publicKey: KeyObject;
}

export interface CertificateIssuer extends CertificateSubject {
  /** P-256. */
  privateKey: KeyObject;
}

interface Validity {
  from: Date;
  until: Date;
}

/**
 * A CA's certificate, signed by itself or by another one. Without a bound on the path's length: during a rotation the next CA stands below
 * the one before, for those who know that one alone.
 */
export function writeAuthorityCertificate(subject: CertificateSubject, issuer: CertificateIssuer, validity: Validity): string {
  return write(subject, issuer, validity, [
    extension('basicConstraints', sequence(yes()), true),
    extension('keyUsage', bits(SIGNS_CERTIFICATES.content, SIGNS_CERTIFICATES.unused), true),
  ]);
}

/** The certificate of one end of connections, named by a URI. */
export function writeEndCertificate(subject: CertificateSubject & { uri: string; purposes: readonly (keyof typeof PURPOSES)[] }, issuer: CertificateIssuer, validity: Validity): string {
  return write(subject, issuer, validity, [
    extension('basicConstraints', sequence(), true),
    extension('keyUsage', bits(DIGITAL_SIGNATURE.content, DIGITAL_SIGNATURE.unused), true),
    extension('extendedKeyUsage', sequence(...subject.purposes.map((purpose) => oid(PURPOSES[purpose])))),
    extension('subjectAltName', sequence(implicit(URI_NAME, Buffer.from(subject.uri)))),
  ]);
}

/** RFC 5280 §4.1, version 3, signed by ECDSA with SHA-256. PEM. */
function write(subject: CertificateSubject, issuer: CertificateIssuer, { from, until }: Validity, extensions: readonly Buffer[]): string {
  const algorithm = sequence(oid(ECDSA_WITH_SHA256));
  const body = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(serial()),
    algorithm,
    distinguishedName(issuer.name),
    sequence(time(from), time(until)),
    distinguishedName(subject.name),
    spkiOf(subject.publicKey),
    explicit(3, sequence(
      ...extensions,
      extension('subjectKeyIdentifier', octets(keyIdentifier(subject.publicKey))),
      extension('authorityKeyIdentifier', sequence(implicit(KEY_IDENTIFIER, keyIdentifier(issuer.publicKey)))),
    )),
  );
  const der = sequence(body, algorithm, bits(sign('sha256', body, issuer.privateKey)));
  return `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replaceAll(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`;
}

const distinguishedName = (name: string): Buffer => sequence(set(sequence(oid(COMMON_NAME), utf8(name))));

function extension(name: keyof typeof EXTENSIONS, value: Buffer, critical = false): Buffer {
  return sequence(oid(EXTENSIONS[name]), ...(critical ? [yes()] : []), octets(value));
}

const spkiOf = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });

/** RFC 7093 §2: any method that tells keys apart; the leftmost 160 bits of SHA-256. */
const keyIdentifier = (key: KeyObject): Buffer => createHash('sha256').update(spkiOf(key)).digest().subarray(0, 20);

function serial(): Buffer {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes;
}
