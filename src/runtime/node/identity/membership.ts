import { type KeyObject, X509Certificate } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { WhorlError } from '#contract/errors.js';
import { NodeName } from '#contract/ids.js';
import type { NodeCredentials } from '#contract/node-identity.js';
import type { IssuedCertificate, TrustBundle } from '#contract/node-join.js';
import type { NodeConfig } from '#platform/config.js';
import type { Log } from '#platform/log.js';
import { Backoff } from '../backoff.js';
import { CertificateLink, TokenLink } from '../control-plane-link.js';
import { ControlPlaneClient, ControlPlaneRefusal } from '../control-plane.client.js';
import { writeCertificateRequest } from './certificate-request.js';
import { IdentityFiles, type StoredIdentity } from './identity-files.js';
import { join } from './join.js';
import type { NodeIdentity } from './node-identity.js';

const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 3_000;
const TRUST_WAIT_S = 25;
/** A certificate is renewed when so much of its life is over: a half. */
const RENEWED_AFTER = 2;
/** Nodes that are to renew for the same reason do so over this time, but well before their certificates end. */
const SPREAD_MS = 5_000;
/** How often it is looked whether a certificate is to be renewed, at most. */
const LOOK_MS = 30_000;

type MembershipConfig = Pick<NodeConfig, 'WHORL_API_URL' | 'WHORL_NODE_TOKEN' | 'WHORL_JOIN_TOKEN' | 'WHORL_NODE_NAME'>;

export interface MembershipOptions {
  config: MembershipConfig;
  /** For the files of the identity. */
  dir: string;
  log: Log;
}

/**
 * What makes a machine a node of a platform: its key, the certificate that it has for it and renews, what it believes, and the way to the
 * control plane. A node that has joined needs nothing but its folder to start again.
 */
export class Membership implements NodeIdentity {
  readonly node: NodeName;
  readonly client: ControlPlaneClient;
  private readonly changes = new EventEmitter<{ change: [NodeCredentials] }>();
  private readonly known = Promise.withResolvers<void>();
  private key: KeyObject;
  /** The one that a certificate is asked for: another one after the first was withdrawn. */
  private asked: KeyObject;
  private keysInUse: readonly string[] = [];
  private rejoining: Promise<boolean> | undefined;
  /** The control plane knows of no certificates. */
  private isUnknown = false;
  private isRefused = false;
  /** The join token was refused, which is said once; so is each of the two. */
  private isKeptOut = false;
  private readonly pauses = new Set<() => void>();
  /** Each node has its own, so that they do not all renew at once. */
  private readonly spread = Math.random();
  private trustChangedAt = performance.now();
  private asking = new AbortController();

  private constructor(private readonly options: MembershipOptions, private readonly files: IdentityFiles, private stored: StoredIdentity | undefined, private readonly link: TokenLink | CertificateLink, node: NodeName) {
    this.node = node;
    this.key = files.key();
    this.asked = this.key;
    this.client = new ControlPlaneClient({ link, node });
    if (stored) this.known.resolve();
  }

  /**
   * Takes up what is in the folder, or joins. Returns at once for a node that has joined, or that has a token of the API: that one gets its
   * certificate later. Throws NODE_NOT_JOINED, NODE_CONFIG_INVALID, NODE_IDENTITY_DAMAGED and what `join` throws.
   */
  static async open(options: MembershipOptions): Promise<Membership> {
    const { WHORL_API_URL: url, WHORL_NODE_TOKEN: token, WHORL_JOIN_TOKEN: joinToken, WHORL_NODE_NAME: name } = options.config;
    const files = new IdentityFiles(options.dir);
    let stored = files.read();
    // It ended between the two files: the key is the newer one.
    if (stored && !new X509Certificate(stored.certificate).checkPrivateKey(files.key())) stored = { ...stored, certificate: '', issuedAt: 0 };
    if (stored && name !== undefined && name !== stored.node) throw new WhorlError('NODE_CONFIG_INVALID', `WHORL_NODE_NAME: this folder is that of the node ${stored.node}, not of ${name}`);
    if (stored?.mode !== 'joined' && joinToken !== undefined) stored = await Membership.join(options, files, { url, joinToken, name });
    if (stored?.mode === 'joined') {
      const link = new CertificateLink(urlsOf(stored), credentialsOf(stored, files.key()));
      return new Membership(options, files, stored, link, stored.node);
    }
    if (url === undefined || token === undefined || name === undefined) throw new WhorlError('NODE_NOT_JOINED', `${options.dir} has no identity, and not all of WHORL_API_URL, WHORL_NODE_NAME and WHORL_JOIN_TOKEN (or WHORL_NODE_TOKEN) are set`);
    return new Membership(options, files, stored, new TokenLink({ url, token }), name as NodeName);
  }

  get credentials(): NodeCredentials | undefined {
    return this.stored?.certificate ? credentialsOf(this.stored, this.key) : undefined;
  }

  /** What it believes; undefined: its control plane is of a release without identities, or has not been there yet. */
  get trust(): TrustBundle | undefined {
    return this.stored?.trust;
  }

  /** Resolves when it is known what is to be believed, or that the control plane says nothing of it. */
  get settled(): Promise<void> {
    return this.known.promise;
  }

  onChange(listener: (credentials: NodeCredentials) => void): () => void {
    this.changes.on('change', listener);
    return () => this.changes.off('change', listener);
  }

  /** Renews the certificate in time, and listens for what is to be believed, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.renewing(signal), this.listening(signal)]);
  }

  /** What the node holds is signed with these: the control plane is told, and keeps them as long. */
  keysChanged(keys: readonly string[]): void {
    if (keys.join() === this.keysInUse.join()) return;
    this.keysInUse = keys;
    this.asking.abort();
  }

  /** Asks what is to be believed now. */
  async refresh(signal: AbortSignal): Promise<void> {
    if (this.stored) this.takeTrust(await this.client.trust(this.stored.trust.revision, 0, { keys: this.keysInUse, signal }));
  }

  /**
   * The control plane says that this node's key was withdrawn. With a join token that was made since, the machine comes back with another key;
   * true when it did.
   */
  rejoin(): Promise<boolean> {
    this.rejoining ??= this.joinAgain().finally(() => { this.rejoining = undefined; });
    return this.rejoining;
  }

  private async joinAgain(): Promise<boolean> {
    const { config: { WHORL_API_URL: url, WHORL_JOIN_TOKEN: token }, log } = this.options;
    if (url === undefined || token === undefined || !this.stored) return false;
    try {
      const key = this.files.makeKey();
      const issued = await join({ url, token, node: this.node, key });
      this.files.writeKey(key);
      this.asked = key;
      this.stored = { ...this.stored, url };
      this.take(issued);
      log.info('joined again, with another key', { node: this.node });
      return true;
    } catch (error) {
      log[this.isKeptOut ? 'debug' : 'warn']('the key of this node was withdrawn, and the join token does not let it come back', { reason: (error as Error).message });
      this.isKeptOut = true;
      return false;
    }
  }

  private static async join({ log }: MembershipOptions, files: IdentityFiles, { url, joinToken, name }: { url: string | undefined; joinToken: string; name: string | undefined }): Promise<StoredIdentity> {
    if (url === undefined || name === undefined) throw new WhorlError('NODE_NOT_JOINED', 'to join, a node needs the URL of a control plane and a name');
    const node = NodeName.parse(name);
    const issued = await join({ url, token: joinToken, node, key: files.key() });
    const stored = toStored({ node, mode: 'joined', url }, issued);
    files.write(stored);
    log.info('joined', { node, url });
    return stored;
  }

  private async renewing(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(RETRY_MIN_MS, RETRY_MAX_MS);
    while (!signal.aborted) {
      const dueMs = this.dueMs();
      if (dueMs > 0) {
        await this.pause(Math.min(dueMs, LOOK_MS), signal);
        continue;
      }
      try {
        const { asked } = this;
        const issued = await this.client.certify(writeCertificateRequest(this.node, asked));
        // It has joined with another key meanwhile.
        if (asked !== this.asked) continue;
        if (asked !== this.key) this.files.writeKey(asked);
        this.take(issued);
        backoff.reset();
      } catch (error) {
        if (signal.aborted) return;
        this.refused(error);
        await this.pause(this.isUnknown ? LOOK_MS : backoff.nextMs(), signal);
      }
    }
  }

  /** Until the certificate is to be renewed. */
  private dueMs(): number {
    if (!this.stored) return 0;
    const { issuedAt, lifeMs, authority, trust } = this.stored;
    const ageMs = Date.now() - issuedAt;
    // The clock was set back: nobody knows how old it is.
    if (ageMs < 0) return 0;
    const spreadMs = authority === trust.signs ? Infinity : this.spread * Math.min(SPREAD_MS, lifeMs / 10);
    return Math.min(lifeMs / RENEWED_AFTER - ageMs, spreadMs - (performance.now() - this.trustChangedAt));
  }

  private take(issued: IssuedCertificate): void {
    const isFirst = this.stored === undefined;
    this.key = this.asked;
    this.isRefused = false;
    this.isKeptOut = false;
    const { node, options: { config } } = this;
    this.stored = toStored(this.stored ?? { node, mode: 'token', url: config.WHORL_API_URL! }, issued);
    this.options.log[isFirst ? 'info' : 'debug']('the node has a certificate', { lifeMs: issued.lifeMs });
    this.changed();
    this.known.resolve();
    this.goOn();
  }

  private refused(error: unknown): void {
    const { log } = this.options;
    const reason = error instanceof ControlPlaneRefusal ? error : undefined;
    if (!this.stored && reason?.status === 404) {
      // A control plane of a release without identities: what it says is believed, as it was then.
      this.known.resolve();
      this.isUnknown = true;
      return log.debug('the control plane gives no certificates');
    }
    if (reason?.reason === 'API_NODE_KEY_WITHDRAWN' && this.link instanceof TokenLink) {
      log.warn('the key of this node was withdrawn; it makes itself another one');
      this.asked = this.files.makeKey();
      return;
    }
    log[this.isRefused ? 'debug' : 'warn']('the node does not get a certificate; it tries again', { reason: (error as Error).message });
    this.isRefused = true;
  }

  private async listening(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(RETRY_MIN_MS, RETRY_MAX_MS);
    while (!signal.aborted) {
      if (!this.stored) {
        await this.pause(LOOK_MS, signal);
        continue;
      }
      this.asking = new AbortController();
      const either = AbortSignal.any([signal, this.asking.signal]);
      try {
        this.takeTrust(await this.client.trust(this.stored.trust.revision, TRUST_WAIT_S, { keys: this.keysInUse, signal: either }));
        backoff.reset();
      } catch (error) {
        if (signal.aborted) return;
        if (either.aborted) continue;
        this.options.log.debug('nothing is heard of what is to be believed', { reason: (error as Error).message });
        await this.pause(backoff.nextMs(), signal);
      }
    }
  }

  private takeTrust(trust: TrustBundle): void {
    if (!this.stored || this.stored.trust.revision === trust.revision) return;
    this.stored = { ...this.stored, trust };
    this.changed();
    this.goOn();
  }

  /** On the disk first: what others are shown is there after a restart. */
  private changed(): void {
    const { stored } = this;
    if (!stored) return;
    this.trustChangedAt = performance.now();
    try {
      this.files.write(stored);
    } catch (error) {
      this.options.log.error('the identity is not written', { error });
    }
    const credentials = credentialsOf(stored, this.key);
    if (this.link instanceof CertificateLink) this.link.change(urlsOf(stored), credentials);
    if (stored.certificate) this.changes.emit('change', credentials);
  }

  /** Ends every pause. */
  private goOn(): void {
    for (const end of this.pauses) end();
  }

  private async pause(ms: number, signal: AbortSignal): Promise<void> {
    const done = new AbortController();
    const end = (): void => done.abort();
    this.pauses.add(end);
    await sleep(ms, undefined, { signal: AbortSignal.any([signal, done.signal]) }).catch(() => {});
    this.pauses.delete(end);
  }
}

const urlsOf = ({ url, trust }: StoredIdentity): string[] => (trust.controlPlanes.length > 0 ? trust.controlPlanes : [url]);

function toStored(who: Pick<StoredIdentity, 'node' | 'mode' | 'url'>, { certificate, authority, lifeMs, trust }: IssuedCertificate): StoredIdentity {
  return { node: who.node, mode: who.mode, url: who.url, certificate, authority, lifeMs, trust, issuedAt: Date.now() };
}

function credentialsOf({ node, certificate, trust }: StoredIdentity, key: KeyObject): NodeCredentials {
  return { node, key: key.export({ type: 'pkcs8', format: 'pem' }) as string, certificate, authorities: trust.authorities.map((each) => each.certificate), denied: trust.denied };
}
