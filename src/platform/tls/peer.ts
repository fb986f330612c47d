import { X509Certificate } from 'node:crypto';
import type { ConnectionOptions, SecureContextOptions, TLSSocket } from 'node:tls';
import type { NodeName } from '#contract/ids.js';
import { CONTROL_PLANE_URI, type NodeCredentials, nodeOfUri } from '#contract/node-identity.js';
import { keyHash } from './key-hash.js';

/** Nothing older: every process here is ours. */
export const MIN_TLS_VERSION = 'TLSv1.3';
const URI = 'URI:';

/** Why the other end of a connection is not believed. */
export class PeerRefused extends Error {
  override name = 'PeerRefused';
}

/**
 * The URI that a certificate names its subject by. Ours carry exactly this one alternative name; anything else, quoted names included, is
 * not one of ours. Throws PeerRefused.
 */
export function uriOf(certificate: X509Certificate): string {
  const names = certificate.subjectAltName ?? '';
  if (!names.startsWith(URI) || /[\s,"]/.test(names)) throw new PeerRefused('its certificate does not name one subject of this platform');
  return names.slice(URI.length);
}

/**
 * Which node a certificate is of, once the handshake has shown that it is signed by a CA that counts and that the other end has its key.
 * Throws PeerRefused: not a node's, over, or that of a removed node.
 */
export function nodeOf(certificate: X509Certificate, denied: NodeCredentials['denied'], now: number = Date.now()): NodeName {
  const name = nodeOfUri(uriOf(certificate));
  if (name === undefined) throw new PeerRefused('its certificate is not that of a node');
  if (now > certificate.validToDate.getTime()) throw new PeerRefused(`the certificate of ${name} ended at ${certificate.validToDate.toISOString()}`);
  const key = keyHash(certificate.publicKey);
  if (denied.some((each) => each.key === key)) throw new PeerRefused(`${name} was removed`);
  return name;
}

/**
 * Which node is at the other end of an established connection. For servers whose context asks for certificates without refusing by itself,
 * and for clients after the handshake; to be asked again for later requests on the connection, since a node may be removed and a
 * certificate end while it is open. Throws PeerRefused.
 */
export function peerOf(socket: TLSSocket, denied: NodeCredentials['denied'], now: number = Date.now()): NodeName {
  if (!socket.authorized) throw new PeerRefused(`its certificate is not believed: ${String(socket.authorizationError ?? 'there is none')}`);
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) throw new PeerRefused('it has shown no certificate');
  return nodeOf(certificate, denied, now);
}

/** For both sides of connections between nodes: for `tls.createSecureContext`, `https.createServer` and `server.setSecureContext`. */
export function contextOf({ key, certificate, authorities }: NodeCredentials): SecureContextOptions {
  return { key, cert: certificate, ca: authorities, minVersion: MIN_TLS_VERSION };
}

/**
 * How to connect to one node: by its name, whatever its address. The handshake fails with PeerRefused as the cause when another one
 * answers there.
 */
export function toNode(credentials: NodeCredentials, node: string): ConnectionOptions {
  return {
    ...contextOf(credentials),
    rejectUnauthorized: true,
    checkServerIdentity: (_host, { raw }) => refusal(() => {
      const found = nodeOf(x509(raw), credentials.denied);
      if (found !== node) throw new PeerRefused(`expected the node ${node}, and ${found} answered`);
    }),
  };
}

/** How to connect to a control plane. `credentials` without a key: to join. */
export function toControlPlane(credentials: Pick<NodeCredentials, 'authorities'> & Partial<Pick<NodeCredentials, 'key' | 'certificate'>>): ConnectionOptions {
  const { key, certificate, authorities } = credentials;
  return {
    ca: authorities,
    ...(key && certificate && { key, cert: certificate }),
    minVersion: MIN_TLS_VERSION,
    rejectUnauthorized: true,
    checkServerIdentity: (_host, { raw }) => refusal(() => {
      if (uriOf(x509(raw)) !== CONTROL_PLANE_URI) throw new PeerRefused('what answered is not a control plane');
    }),
  };
}

const x509 = (raw: Buffer): X509Certificate => new X509Certificate(raw);

/** What `checkServerIdentity` answers: undefined, or why not. */
function refusal(check: () => void): Error | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    return error as Error;
  }
}
