import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { NodeCredentials } from '#contract/node-identity.js';
import type { Log } from '#platform/log.js';
import { contextOf, peerOf } from '#platform/tls/peer.js';
import type { Deadlines } from '#runtime/component/deadlines.js';
import { drainServer, MAX_HEADER_BYTES } from '#runtime/trigger/http-server.js';
import { ClientInbound, toOutgoing } from '#runtime/trigger/relay/client-inbound.js';
import type { Open } from '#runtime/trigger/relay/exchange.js';
import { relay } from '#runtime/trigger/relay/relay.js';
import { ANSWER_FIELD, toAnswerField } from '#runtime/trigger/relay/relay-head.js';
import type { GatewayCounts, GatewayGauges } from './gateway-protocol.js';
import { PING_PATH } from './peer-agents.js';

/** Certificates end while connections are open. */
const CHECK_MS = 30_000;
/** Longer than other gateways keep a connection that they do not use: they close first, and no request meets a closing one. */
const KEEP_ALIVE_MS = 65_000;
/** What other gateways add to a head that a front has taken. */
const ADDED_BYTES = 8 * 1024;
const NOT_HERE = toAnswerField({ isMisdirected: true, generation: 0, load: 0 });

export interface PeerServerOptions {
  /** To the own runners. */
  toSelf: Open;
  headTimeoutMs: number;
  deadlines: Deadlines;
  counts: GatewayCounts;
  gauges: GatewayGauges;
  log: Log;
}

/** Takes requests from the gateways of other nodes, and from nobody else, and hands them to the runners of this one. Never to another node. */
export class PeerServer {
  draining = false;
  private readonly server: Server;
  private readonly sockets = new Set<TLSSocket>();
  private readonly checking: NodeJS.Timeout;

  constructor(private credentials: NodeCredentials, private readonly options: PeerServerOptions) {
    this.server = createServer({
      ...contextOf(credentials), requestCert: true, rejectUnauthorized: true,
      maxHeaderSize: MAX_HEADER_BYTES + ADDED_BYTES, headersTimeout: 0, requestTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS, noDelay: true,
    }, (request, response) => this.handle(request, response, false));
    this.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => this.handle(request, response, true));
    // Before anything is read from it.
    this.server.prependListener('secureConnection', (socket) => this.take(socket));
    this.server.on('tlsClientError', (error, socket) => this.refused(error, socket));
    this.checking = setInterval(() => this.check(), CHECK_MS).unref();
  }

  /** The port. Rejects with what the system says. */
  listen({ host, port }: { host: string; port: number }): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, host, () => {
        this.server.off('error', reject);
        resolve((this.server.address() as AddressInfo).port);
      });
    });
  }

  /** From now on for new connections; those that are open go on, except to nodes that were removed. */
  setCredentials(credentials: NodeCredentials): void {
    this.credentials = credentials;
    this.server.setSecureContext(contextOf(credentials));
    this.check();
  }

  /** Takes nothing more, ends what is under way, closes; by force when the time is up. */
  async drain(timeoutMs: number): Promise<void> {
    this.draining = true;
    clearInterval(this.checking);
    if (this.server.listening) await drainServer(this.server, timeoutMs);
  }

  private take(socket: TLSSocket): void {
    if (!this.isBelieved(socket)) return void socket.destroy();
    const { counts, gauges } = this.options;
    counts.connections++;
    this.sockets.add(socket);
    gauges.connections++;
    socket.once('close', () => {
      this.sockets.delete(socket);
      gauges.connections--;
    });
  }

  private check(): void {
    for (const socket of this.sockets) if (!this.isBelieved(socket)) socket.destroy();
  }

  private isBelieved(socket: TLSSocket): boolean {
    try {
      peerOf(socket, this.credentials.denied);
      return true;
    } catch (error) {
      this.refused(error as Error, socket);
      return false;
    }
  }

  private refused(error: Error, { remoteAddress }: TLSSocket): void {
    this.options.counts.refusedPeers++;
    this.options.log.warn('another gateway is not believed', { remoteAddress, reason: error.message });
  }

  private handle(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const { toSelf, deadlines, headTimeoutMs, counts, gauges, log } = this.options;
    if (!this.sockets.has(request.socket as TLSSocket)) return void request.socket.destroy();
    if (request.url === PING_PATH) return void response.writeHead(204).end();
    const call = { request, response, expectsContinue, front: this };
    const inbound = new ClientInbound(call);
    counts.taken++;
    gauges.underWay++;
    relay({
      inbound, deadlines, headTimeoutMs,
      outgoing: toOutgoing(call, request.headers.host!, request.url!, 'its own'),
      open: toSelf,
      waitsToProceed: true,
      over: (outcome) => {
        gauges.underWay--;
        if (outcome.kind !== 'failed' || inbound.isOver || inbound.hasBegun) return;
        // Without a runner the request is for somebody else; what a runner had and did not answer is not told as an answer.
        if (!outcome.wasSent) return void inbound.begin(421, [ANSWER_FIELD, NOT_HERE, 'content-length', '0']).end();
        log.warn('a runner gave no answer to a request of another node', { requestId: request.headers['whorl-request-id'], error: outcome.error });
        inbound.abort();
      },
    });
  }
}
