import type { Socket } from 'node:net';
import { Agent, Client, Pool, type buildConnector } from 'undici';
import type { GuestGrant } from '../guest.js';
import { lease as takeLease, noteIdle } from './connection-budget.js';
import { dialLeased } from './dial.js';
import type { Resolve } from './resolve.js';

interface KnownAgent {
  settings: string;
  runtime: GuestGrant['runtime'];
  agent: Agent;
}

const agents = new WeakMap<GuestGrant, KnownAgent>();

/**
 * The connections for HTTP of one component of one version: no other tenant meets them, nor the rights they were opened with. When the operator
 * changes those, new requests get new connections, and the old ones are closed with their last answer.
 */
export function agentOf(grant: GuestGrant): Agent {
  const known = agents.get(grant);
  const { runtime } = grant;
  if (known?.runtime === runtime) return known.agent;
  const settings = JSON.stringify([runtime.outboundHttp, runtime.outboundNetworking, runtime.clientTls]);
  if (known?.settings === settings) {
    known.runtime = runtime;
    return known.agent;
  }
  known?.agent.close().catch(() => undefined);
  const agent = createAgent(grant);
  agents.set(grant, { settings, runtime, agent });
  return agent;
}

/** Its timeouts are those of each request, so it has none of its own. `resolve`: another one than the machine's. */
export function createAgent(grant: GuestGrant, resolve?: Resolve): Agent {
  const { connectionPooling, maxConnections } = grant.runtime.outboundHttp;
  return new Agent({
    // so many wait in one queue for those that are open, instead of each for one of its own
    ...(maxConnections ? { connections: maxConnections } : {}),
    factory: (origin, options) => new Pool(origin, { ...options, factory: (at, own) => createClient(grant, at, { ...own, resolve }) }),
    // without it: one request for each connection
    pipelining: connectionPooling ? 1 : 0,
    // by undici 8.12 over HTTP/2 trailers are lost, and an answer that is cut off looks whole
    allowH2: false,
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: 64 * 1024,
    keepAliveTimeout: 4_000,
    keepAliveMaxTimeout: 60_000,
  });
}

function createClient(grant: GuestGrant, origin: URL, { resolve, ...options }: Client.Options & { resolve: Resolve | undefined }): Client {
  const client = new Client(origin, {
    ...options,
    connect: (to, callback) => {
      open(grant, to, () => client.stats.size === 0, resolve).then((socket) => callback(null, socket), (error: unknown) => callback(error as Error, null));
    },
  });
  return client.on('drain', () => noteIdle(grant));
}

/** Connects by `dial`. A connection without a request makes room for another one that is wanted. */
async function open(grant: GuestGrant, to: buildConnector.Options, isIdle: () => boolean, resolve: Resolve | undefined): Promise<Socket> {
  const isTls = to.protocol === 'https:';
  const lease = await takeLease(grant, 'http');
  const port = Number(to.port || (isTls ? 443 : 80));
  const socket = await dialLeased(grant, { host: to.hostname, port, ...(isTls && { tls: { ALPNProtocols: ['http/1.1'] } }) }, lease, resolve);
  lease.idle = { isIdle, close: () => socket.destroy() };
  return socket;
}
