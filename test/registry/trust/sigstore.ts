import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { bits, context, integer, octets, oid, primitive, sequence, set, time, utf8, yes } from './der.js';

const ECDSA_SHA256 = '1.2.840.10045.4.3.2';
const MINUTE_MS = 60_000;
const spki = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });
const sha256 = (...data: Uint8Array[]): Buffer => data.reduce((hash, each) => hash.update(each), createHash('sha256')).digest();
const keyPair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const name = (text: string): Buffer => sequence(set(sequence(oid('2.5.4.3'), utf8(text))));
const extension = (id: string, critical: boolean, content: Uint8Array): Buffer => sequence(oid(id), ...(critical ? [yes] : []), octets(content));
/** JSON as Rekor signs it (RFC 8785): keys in order, no blanks; enough for flat objects. */
const canonical = (value: Record<string, unknown>): string => JSON.stringify(Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))));

export interface Identity {
  issuer: string;
  /** A URL, or a mail address. */
  subject: string;
}

export interface Certified {
  certificate: Buffer;
  pem: string;
  key: KeyObject;
}

/** What a log answered about an entry. */
export interface LogEntry {
  /** As cosign keeps it in an annotation. */
  annotation: string;
  /** As a bundle has it, with the promise and a proof. */
  entry: Record<string, unknown>;
}

/** A sigstore of its own: a certificate authority as Fulcio, a transparency log as Rekor, and the trusted root that names both. */
export class Sigstore {
  private readonly ca = keyPair();
  private readonly log = keyPair();
  private readonly caName = name('test fulcio');
  private readonly caCertificate: Buffer;
  private readonly logId: Buffer;
  private entries = 0;

  constructor(readonly now = new Date('2026-01-01T12:00:00Z')) {
    const from = new Date(now.getTime() - 24 * 60 * MINUTE_MS);
    const until = new Date(now.getTime() + 24 * 60 * MINUTE_MS);
    this.logId = sha256(spki(this.log.publicKey));
    const extensions = [extension('2.5.29.19', true, sequence(yes)), extension('2.5.29.15', true, bits(Buffer.from([0x06]), 1))];
    this.caCertificate = this.issue(this.caName, spki(this.ca.publicKey), [from, until], extensions);
  }

  trustedRoot(): TrustedRoot {
    const validFor = { start: '2020-01-01T00:00:00Z' };
    return TrustedRoot.fromJSON({
      mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
      tlogs: [{
        baseUrl: 'https://log.test', hashAlgorithm: 'SHA2_256', logId: { keyId: this.logId.toString('base64') },
        publicKey: { rawBytes: spki(this.log.publicKey).toString('base64'), keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor },
      }],
      certificateAuthorities: [{ subject: { organization: 'test', commonName: 'test fulcio' }, uri: 'https://ca.test', certChain: { certificates: [{ rawBytes: this.caCertificate.toString('base64') }] }, validFor }],
    });
  }

  /** A certificate for ten minutes, as Fulcio gives it to whoever proves to be somebody. */
  certify({ issuer, subject }: Identity, at = this.now): Certified {
    const { publicKey, privateKey } = keyPair();
    const isMail = subject.includes('@') && !subject.includes('://');
    const extensions = [
      extension('2.5.29.15', true, bits(Buffer.from([0x80]), 7)),
      extension('2.5.29.37', false, sequence(oid('1.3.6.1.5.5.7.3.3'))),
      extension('2.5.29.17', true, sequence(primitive(isMail ? 1 : 6, Buffer.from(subject)))),
      extension('1.3.6.1.4.1.57264.1.8', false, utf8(issuer)),
    ];
    const certificate = this.issue(sequence(), spki(publicKey), [at, new Date(at.getTime() + 10 * MINUTE_MS)], extensions);
    const pem = `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
    return { certificate, pem, key: privateKey };
  }

  /** An entry for signed bytes (`hashedrekord`). */
  logSignature(signed: Uint8Array, signature: Uint8Array, verifier: string, at = this.now): LogEntry {
    const spec = {
      data: { hash: { algorithm: 'sha256', value: sha256(signed).toString('hex') } },
      signature: { content: Buffer.from(signature).toString('base64'), publicKey: { content: Buffer.from(verifier).toString('base64') } },
    };
    return this.enter({ apiVersion: '0.0.1', kind: 'hashedrekord', spec }, at);
  }

  /** An entry for a DSSE envelope (`dsse`). */
  logEnvelope(payload: Uint8Array, signature: Uint8Array, verifier: string, at = this.now): LogEntry {
    const spec = {
      envelopeHash: { algorithm: 'sha256', value: '0'.repeat(64) }, payloadHash: { algorithm: 'sha256', value: sha256(payload).toString('hex') },
      signatures: [{ signature: Buffer.from(signature).toString('base64'), verifier: Buffer.from(verifier).toString('base64') }],
    };
    return this.enter({ apiVersion: '0.0.1', kind: 'dsse', spec }, at);
  }

  /** The log grows by an entry; the tree of the proof has this one and a neighbour. */
  private enter(record: { apiVersion: string; kind: string; spec: object }, at: Date): LogEntry {
    const body = Buffer.from(JSON.stringify(record));
    const logIndex = 1000 + this.entries++;
    const integratedTime = Math.floor(at.getTime() / 1000);
    const promised = canonical({ body: body.toString('base64'), integratedTime, logIndex, logID: this.logId.toString('hex') });
    const promise = sign('sha256', Buffer.from(promised), this.log.privateKey).toString('base64');
    const neighbour = sha256(Buffer.from([0]), Buffer.from('neighbour'));
    const root = sha256(Buffer.from([1]), sha256(Buffer.from([0]), body), neighbour);
    const note = `log.test - 1\n2\n${root.toString('base64')}\n`;
    const noted = sign('sha256', Buffer.from(note), this.log.privateKey);
    return {
      annotation: JSON.stringify({ SignedEntryTimestamp: promise, Payload: { body: body.toString('base64'), integratedTime, logIndex, logID: this.logId.toString('hex') } }),
      entry: {
        logIndex: String(logIndex), logId: { keyId: this.logId.toString('base64') }, kindVersion: { kind: record.kind, version: record.apiVersion },
        integratedTime: String(integratedTime), inclusionPromise: { signedEntryTimestamp: promise }, canonicalizedBody: body.toString('base64'),
        inclusionProof: {
          logIndex: '0', rootHash: root.toString('base64'), treeSize: '2', hashes: [neighbour.toString('base64')],
          checkpoint: { envelope: `${note}\n— log.test ${Buffer.concat([this.logId.subarray(0, 4), noted]).toString('base64')}\n` },
        },
      },
    };
  }

  private issue(subject: Buffer, key: Buffer, [from, until]: [Date, Date], extensions: Buffer[]): Buffer {
    const algorithm = sequence(oid(ECDSA_SHA256));
    const tbs = sequence(context(0, integer(2)), integer(++this.entries), algorithm, this.caName, sequence(time(from), time(until)), subject, key, context(3, sequence(...extensions)));
    return sequence(tbs, algorithm, bits(sign('sha256', tbs, this.ca.privateKey)));
  }
}
