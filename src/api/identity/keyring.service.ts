import type { KeyObject } from 'node:crypto';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { CONTROL_PLANE_URI, type KeyHash, nodeUri } from '#contract/node-identity.js';
import type { ControlConfig } from '#platform/config.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import { Wakeups } from '#platform/wakeups.js';
import { TRUST_TOPIC } from '../topics.js';
import { SecretBox } from '../variables/secret-box.js';
import { AUTHORITY_KINDS, type AuthorityKind, authorityName, type AuthorityRecord, CLOCK_TOLERANCE_MS, newAuthority, type Signer, toSigner } from './authority.js';
import { AuthorityRepository } from './authority.repository.js';
import { SETTLE_MS } from './rotation.js';
import { writeEndCertificate } from './x509/certificate.js';

/** What is known of the keys is this old at most, where no wake-up comes: less than a step of a rotation lasts. */
const KNOWN_MS = SETTLE_MS / 2;

/** The platform's keys at one moment. */
export interface Keyring {
  authorities: readonly AuthorityRecord[];
  /** By what they sign. */
  signers: Readonly<Record<AuthorityKind, Signer>>;
}

export interface CertificateIssue {
  /** PEM: the certificate, then the CA's as signed by the one before where that is still believed. */
  certificate: string;
  authority: KeyHash;
  expiresAt: Date;
}

/** The platform's CA and the key of its statements: makes them, opens them, signs certificates. */
@Injectable()
export class KeyringService implements OnApplicationShutdown {
  private known: { at: number; keyring: Promise<Keyring> } | undefined;
  /** Opened once: a private key never changes. */
  private readonly opened = new Map<KeyHash, Signer>();
  private readonly unsubscribe: () => void;

  constructor(
    private readonly repository: AuthorityRepository,
    private readonly box: SecretBox,
    wakeups: Wakeups,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
  ) {
    this.unsubscribe = wakeups.subscribe(TRUST_TOPIC, () => { this.known = undefined; });
  }

  onApplicationShutdown(): void {
    this.unsubscribe();
  }

  /** Makes the keys that a new platform lacks. Throws when WHORL_SECRET_KEY does not open those that are there. Called once, at start. */
  async ensure(): Promise<void> {
    await this.repository.exclusively(async (db) => {
      for (const kind of AUTHORITY_KINDS) if (!(await this.repository.hasKind(db, kind))) await this.make(db, kind, 'signing');
    });
    this.known = undefined;
    await this.current();
  }

  /** The keys as they are now, a moment old at most. */
  current(): Promise<Keyring> {
    const now = performance.now();
    if (!this.known || now - this.known.at > KNOWN_MS) {
      const keyring = this.load();
      this.known = { at: now, keyring };
      keyring.catch(() => { this.known = undefined; });
    }
    return this.known.keyring;
  }

  /** Makes a key that is announced to nodes; it signs later. */
  async announce(db: Db, kind: AuthorityKind): Promise<void> {
    await this.make(db, kind, 'trusted', (await this.current()).signers[kind]);
  }

  /** A certificate for a node's key, for both sides of connections. */
  forNode(node: string, publicKey: KeyObject): Promise<CertificateIssue> {
    return this.issue({ name: node, uri: nodeUri(node), publicKey, purposes: ['client', 'server'] });
  }

  /** A certificate for a control plane's key. */
  forControlPlane(publicKey: KeyObject): Promise<CertificateIssue> {
    return this.issue({ name: 'control-plane', uri: CONTROL_PLANE_URI, publicKey, purposes: ['server'] });
  }

  /** No certificate that was signed up to now ends later. */
  latestExpiry(): Date {
    return new Date(Date.now() + this.config.WHORL_CERTIFICATE_SECONDS * 1_000);
  }

  private async issue(subject: Parameters<typeof writeEndCertificate>[0]): Promise<CertificateIssue> {
    const { authorities, signers: { tls } } = await this.current();
    const now = Date.now();
    const expiresAt = this.latestExpiry();
    // Before anybody has the certificate: the CA stays until it ends.
    await this.repository.signed(tls.id, expiresAt);
    const certificate = writeEndCertificate(subject, { ...tls, name: authorityName(tls.id) }, { from: new Date(now - CLOCK_TOLERANCE_MS), until: expiresAt });
    const cas = authorities.filter(({ kind }) => kind === 'tls');
    const cross = cas.length > 1 ? (cas.find(({ id }) => id === tls.id)?.crossCertificate ?? '') : '';
    return { certificate: certificate + cross, authority: tls.id, expiresAt };
  }

  private async make(db: Db, kind: AuthorityKind, state: 'trusted' | 'signing', before?: Signer): Promise<void> {
    const made = newAuthority(kind, new Date(), before);
    await this.repository.create(db, made, this.box.seal(made.privateKey, contextOf(made.id)), state);
  }

  private async load(): Promise<Keyring> {
    const authorities = await this.repository.list();
    const signerOf = (wanted: AuthorityKind): Signer => {
      const record = authorities.find(({ kind, state }) => kind === wanted && state === 'signing');
      if (!record) throw new Error(`the platform has no key for ${wanted}`);
      return this.open(record);
    };
    return { authorities, signers: { tls: signerOf('tls'), statements: signerOf('statements') } };
  }

  private open(record: AuthorityRecord): Signer {
    let signer = this.opened.get(record.id);
    if (!signer) {
      try {
        signer = toSigner(record, this.box.open(record.sealedKey ?? '', contextOf(record.id)));
      } catch (error) {
        throw new Error('the keys of the platform were sealed with another WHORL_SECRET_KEY: start with that one', { cause: error });
      }
      this.opened.set(record.id, signer);
    }
    return signer;
  }
}

const contextOf = (id: KeyHash): string => `authority/${id}`;
