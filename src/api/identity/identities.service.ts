import type { X509Certificate } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import type { KeyHash } from '#contract/node-identity.js';
import { type CertificateRequest, type IssuedCertificate, RESERVED_NODE_NAMES } from '#contract/node-join.js';
import type { Principal } from '#platform/http/api-request.js';
import { Log } from '#platform/log.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import { keyHash } from '#platform/tls/key-hash.js';
import { AuthService } from '../auth/auth.service.js';
import { DrainService } from '../nodes/drain.service.js';
import { readCertificateRequest } from './certificate-request.js';
import { type IdentityRecord, IdentityRepository } from './identity.repository.js';
import type { IdentityView } from './identity.schema.js';
import type { JoinTokenRecord } from './join-token.repository.js';
import { JoinTokensService } from './join-tokens.service.js';
import { KeyringService } from './keyring.service.js';
import { TrustService } from './trust.service.js';

/** What lets a key have a name. */
type Grant = { joinToken: JoinTokenRecord } | { joinToken: null };

/** Which key has which node's name. A certificate says so to others; here the table alone counts, so that a removed node is refused at once. */
@Injectable()
export class IdentitiesService {
  // oxlint-disable-next-line max-params -- what is injected
  constructor(
    private readonly repository: IdentityRepository,
    private readonly tokens: JoinTokensService,
    private readonly keyring: KeyringService,
    private readonly trust: TrustService,
    private readonly auth: AuthService,
    private readonly drains: DrainService,
    private readonly log: Log,
  ) {}

  /**
   * A certificate for a node's key: for the one that has the name, or for one that a token lets join.
   * @param bearer what stood in the Authorization header
   * Throws API_INPUT_INVALID for a request that proves nothing, API_NODE_KEY_WITHDRAWN, API_NODE_KEY_IN_USE, API_NODE_NAME_TAKEN, API_JOIN_TOKEN_MISSING,
   * API_JOIN_TOKEN_UNKNOWN and what `JoinTokensService.check` throws.
   */
  async certify(node: string, request: CertificateRequest, bearer: string | undefined): Promise<IssuedCertificate> {
    if (RESERVED_NODE_NAMES.has(node)) throw new WhorlError('API_INPUT_INVALID', `node: ${node} is the name of a route`, { fields: { node: ['is the name of a route'] } });
    const { publicKey, key } = readCertificateRequest(node, request);
    if (await this.repository.isDenied(key)) throw withdrawn();
    if (!isOf(await this.repository.find(node), key)) {
      const grant = await this.grant(node, bearer);
      const isBack = await this.repository.exclusively(node, (db) => this.claim(db, node, key, grant));
      // Who made the token after the removal wants it back.
      if (isBack) await this.drains.want(node, 'active');
    }
    const { certificate, authority, expiresAt } = await this.keyring.forNode(node, publicKey);
    await this.repository.certified(node, authority, expiresAt);
    return { certificate, authority, lifeMs: expiresAt.getTime() - Date.now(), trust: await this.trust.bundle() };
  }

  /** Who a client certificate is of that is signed by one of the CAs. Throws API_NODE_KEY_WITHDRAWN, API_CERTIFICATE_REFUSED. */
  async authenticate(certificate: X509Certificate): Promise<Principal> {
    if (certificate.validToDate.getTime() <= Date.now()) throw new WhorlError('API_CERTIFICATE_REFUSED', `the certificate ended at ${certificate.validToDate.toISOString()}`);
    const key = keyHash(certificate.publicKey);
    const identity = await this.repository.findByKey(key);
    if (!identity || identity.removedAt) throw await this.whyNot(key);
    return { name: `node ${identity.node}`, scopes: ['node'], node: identity.node };
  }

  /** Throws API_NODE_NOT_JOINED. */
  async get(node: string): Promise<IdentityView> {
    const found = await this.repository.find(node);
    if (!found) throw new WhorlError('API_NODE_NOT_JOINED', `no key has the name ${node}`);
    return toView(found);
  }

  /**
   * Takes a node's name from its key: the control plane refuses its certificates when this returns, other nodes as soon as they hear of it.
   * False when no key had the name.
   */
  withdraw(node: string): Promise<boolean> {
    return this.repository.exclusively(node, async (db) => {
      const identity = await this.repository.find(node, db);
      if (!identity || identity.removedAt) return false;
      await this.repository.remove(db, node);
      await this.repository.deny(db, identity, this.keyring.latestExpiry());
      this.log.info('a node was removed: its key counts for nothing any more', { node });
      return true;
    });
  }

  /** Takes back that the key of a removed node counts for nothing: it has its name again. */
  readmit(node: string): Promise<void> {
    return this.repository.exclusively(node, async (db) => {
      const identity = await this.repository.find(node, db);
      if (identity?.removedAt) await this.repository.readmit(db, identity);
    });
  }

  /** Gives the name to the key, if nobody else has it. True when a removed node had it. */
  private async claim(db: Db, node: string, key: KeyHash, grant: Grant): Promise<boolean> {
    const present = await this.repository.find(node, db);
    if (isOf(present, key)) return false;
    const other = await this.repository.findByKey(key, db);
    if (other) throw new WhorlError('API_NODE_KEY_IN_USE', `this key is that of the node ${other.node}`);
    if (present && !present.removedAt) {
      if (!mayReplace(grant, present)) throw new WhorlError('API_NODE_NAME_TAKEN', `another key has the name ${node} since ${present.joinedAt.toISOString()}`);
      await this.repository.deny(db, present, this.keyring.latestExpiry());
    }
    // Else whoever was removed would come back by the token that it has at hand.
    if (present?.removedAt && (!grant.joinToken || grant.joinToken.createdAt <= present.removedAt)) throw withdrawn();
    if (grant.joinToken) await this.tokens.use(db, grant.joinToken);
    await this.repository.put(db, { node, key, joinToken: grant.joinToken?.id ?? null, expiresAt: this.keyring.latestExpiry() });
    this.log.info('a node has joined', { node, joinToken: grant.joinToken?.id });
    return present?.removedAt instanceof Date;
  }

  private async grant(node: string, bearer: string | undefined): Promise<Grant> {
    if (bearer === undefined) throw new WhorlError('API_JOIN_TOKEN_MISSING', `the key does not have the name ${node}, and no token lets it join`);
    const joinToken = await this.tokens.check(bearer, node);
    if (joinToken) return { joinToken };
    const principal = await this.auth.authenticate(bearer).catch((error: unknown) => {
      if (error instanceof WhorlError && error.code === 'API_TOKEN_INVALID') throw new WhorlError('API_JOIN_TOKEN_UNKNOWN', error.message, { cause: error });
      throw error;
    });
    if (!principal.scopes.some((scope) => scope === 'node' || scope === 'admin')) throw new WhorlError('API_SCOPE_MISSING', `${principal.name} may not let nodes join: that needs a join token, or the scope node`);
    return { joinToken: null };
  }

  private async whyNot(key: KeyHash): Promise<WhorlError> {
    return (await this.repository.isDenied(key)) ? withdrawn() : new WhorlError('API_CERTIFICATE_REFUSED', 'no node has the key of this certificate');
  }
}

const isOf = (identity: IdentityRecord | null, key: KeyHash): boolean => identity !== null && !identity.removedAt && identity.key === key;

/** Nodes that share a token of the API could speak for one another anyway; a node that has joined by itself is not theirs to replace. */
const mayReplace = ({ joinToken }: Grant, present: IdentityRecord): boolean => (joinToken ? joinToken.replace : present.joinToken === null);

const withdrawn = (): WhorlError => new WhorlError('API_NODE_KEY_WITHDRAWN', 'the key of this node was withdrawn: it was removed, or another key has its name');

function toView({ node, key, joinToken, joinedAt, authority, expiresAt, trustSeenAt, removedAt }: IdentityRecord): IdentityView {
  return {
    node, key, joinToken, authority,
    joinedAt: joinedAt.toISOString(), expiresAt: expiresAt.toISOString(), seenAt: trustSeenAt?.toISOString() ?? null, removedAt: removedAt?.toISOString() ?? null,
  };
}
