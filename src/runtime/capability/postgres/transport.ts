import { once } from 'node:events';
import { isIP, type Socket } from 'node:net';
import { connect as connectTls, rootCertificates, type ConnectionOptions } from 'node:tls';
import type { GuestGrant } from '../guest.js';
import { clientTlsOptions } from '../outbound/client-tls.js';
import type { Lease } from '../outbound/connection-budget.js';
import { dialLeased } from '../outbound/dial.js';
import { canonicalHost } from '../outbound/outbound-policy.js';
import { DEFAULT_PG_PORT, type PgHost, type SslMode } from './address.js';

/** How connections to one server are made. */
export interface PgRoute {
  grant: GuestGrant;
  sslMode: SslMode;
  /** PEM of a certificate that counts beside the known roots; null: those alone. */
  caRoot: string | null;
}

/** SSLRequest (PostgreSQL, 54.7 "Message Formats"): its length, and a code in the place of the protocol's version. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const SSL_TIMEOUT_MS = 30_000;
const YES = 0x53;

/**
 * Opens the bytes' way to a server: a checked address (`dialLeased`), then TLS as the mode says. Whatever uses TLS checks the certificate against the
 * roots, and its name against the host unless the mode is `verify-ca`; Spin does so too, also for `prefer` and `require`.
 * Rejects with what `dialLeased` or TLS throw, or an Error that says what the server refused.
 * @param at an address of the host, when it must be that one
 */
export async function openTransport(to: PgHost, route: PgRoute, lease: Lease, at: string = to.host): Promise<Socket> {
  const socket = await dialLeased(route.grant, { host: at, port: to.port ?? DEFAULT_PG_PORT }, lease);
  if (route.sslMode === 'disable') return socket;
  try {
    if (await offersTls(socket)) return await secure(socket, to.host, tlsOptions(to.host, route));
    if (route.sslMode === 'prefer') return socket;
    throw new Error('server does not support TLS');
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function tlsOptions(host: string, { grant, sslMode, caRoot }: PgRoute): ConnectionOptions {
  return clientTlsOptions(grant, canonicalHost(host), {
    ...(caRoot === null ? {} : { ca: [...rootCertificates, caRoot] }),
    ...(sslMode === 'verify-ca' ? { checkServerIdentity: () => undefined } : {}),
  });
}

async function offersTls(socket: Socket): Promise<boolean> {
  socket.write(SSL_REQUEST);
  const [answer] = (await once(socket, 'data', { signal: AbortSignal.timeout(SSL_TIMEOUT_MS) })) as [Buffer];
  socket.pause();
  // what comes in clear behind the answer was put there by somebody else (CVE-2021-23222)
  if (answer.length !== 1) throw new Error('the server sent more than the answer to the request for TLS');
  return answer[0] === YES;
}

async function secure(socket: Socket, host: string, options: ConnectionOptions): Promise<Socket> {
  const secured = connectTls({ ...options, socket, host, ...(isIP(host) ? {} : { servername: host }) });
  await once(secured, 'secureConnect', { signal: AbortSignal.timeout(SSL_TIMEOUT_MS) });
  return secured;
}
