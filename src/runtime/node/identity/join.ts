import type { KeyObject } from 'node:crypto';
import { X509Certificate } from 'node:crypto';
import { Agent, request } from 'undici';
import { WhorlError } from '#contract/errors.js';
import type { KeyHash } from '#contract/node-identity.js';
import { Authorities, type IssuedCertificate, NODE_JOIN_ROUTES, readJoinToken } from '#contract/node-join.js';
import { keyHash } from '#platform/tls/key-hash.js';
import { AnonymousLink } from '../control-plane-link.js';
import { ControlPlaneClient, ControlPlaneRefusal } from '../control-plane.client.js';
import { writeCertificateRequest } from './certificate-request.js';

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 256 * 1024;

export interface JoinRequest {
  /** Of a nodes port. */
  url: string;
  token: string;
  node: string;
  key: KeyObject;
}

/**
 * A node's first contact. It knows nobody yet: it asks whoever answers for the CAs' certificates, believes the one that its token names, and
 * sends the token's secret only to who has shown a certificate of that one (as kubeadm and k3s do).
 * Throws NODE_JOIN_TOKEN_INVALID, NODE_JOIN_AUTHORITY_UNKNOWN, NODE_JOIN_UNREACHABLE, NODE_JOIN_REFUSED.
 */
export async function join({ url, token, node, key }: JoinRequest): Promise<IssuedCertificate> {
  const read = readJoinToken(token);
  if (!read) throw new WhorlError('NODE_JOIN_TOKEN_INVALID', 'the join token was cut, or is another kind of token');
  if (!url.startsWith('https://')) throw new WhorlError('NODE_JOIN_UNREACHABLE', `${url}: a node joins at the nodes port of a control plane, https://host:port`);
  const authority = await authorityOf(url.replace(/\/+$/, ''), read.authority);
  const client = new ControlPlaneClient({ link: new AnonymousLink(url, authority), node });
  try {
    return await client.certify(writeCertificateRequest(node, key), read.secret);
  } catch (error) {
    if (error instanceof ControlPlaneRefusal) throw new WhorlError('NODE_JOIN_REFUSED', error.message, { cause: error });
    throw unreachable(url, error);
  } finally {
    await client.close();
  }
}

/** The certificate of the CA with this id. Nothing that is sent here is secret, nothing that comes is believed but by its hash. */
async function authorityOf(url: string, id: KeyHash): Promise<string> {
  const stranger = new Agent({ connect: { rejectUnauthorized: false, timeout: TIMEOUT_MS } });
  try {
    const { body } = await request(url + NODE_JOIN_ROUTES.authorities.path, { dispatcher: stranger, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS });
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES) throw new Error('the answer is too large');
      chunks.push(chunk);
    }
    const { authorities } = Authorities.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
    const found = authorities.find(({ certificate }) => keyHash(new X509Certificate(certificate).publicKey) === id);
    if (!found) throw new WhorlError('NODE_JOIN_AUTHORITY_UNKNOWN', `${url} is of another platform than the join token`);
    return found.certificate;
  } catch (error) {
    throw error instanceof WhorlError ? error : unreachable(url, error);
  } finally {
    await stranger.destroy();
  }
}

function unreachable(url: string, cause: unknown): WhorlError {
  const { message, cause: deeper } = cause as Error;
  return new WhorlError('NODE_JOIN_UNREACHABLE', `${url}: ${message || String((deeper as Error | undefined)?.message ?? cause)}`, { cause });
}

