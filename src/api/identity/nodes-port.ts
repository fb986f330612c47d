import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { toProblem, WhorlError } from '#contract/errors.js';
import type { KeyHash } from '#contract/node-identity.js';
import { KEEP_ALIVE_TIMEOUT_MS, REQUEST_TIMEOUT_MS } from '#platform/http/http-app.js';
import type { Log } from '#platform/log.js';
import { MIN_TLS_VERSION } from '#platform/tls/peer.js';
import type { Keyring, KeyringService } from './keyring.service.js';
import { isNodeRoute } from './node-route.js';
import { SETTLE_MS } from './rotation.js';

/** A change of the CAs is taken up within this time: a step of a rotation lasts longer. */
const LOOK_MS = SETTLE_MS / 4;
/** A certificate is renewed when so much of its life is over: a half. */
const RENEWED_AFTER = 2;

export interface NodesPortOptions {
  host: string;
  port: number;
  /** Answers what is a route of nodes. */
  handler: RequestListener;
  keyring: KeyringService;
  log: Log;
}

/**
 * Where nodes reach the control plane: TLS with a certificate of the platform's CA, which asks for theirs. Who has none may join, and nothing
 * else (the guard sees to that). Certificates and CAs change without a connection being cut: a context is for new ones.
 */
export class NodesPort {
  private readonly keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  private readonly timer: NodeJS.Timeout;
  private authority: KeyHash | undefined;
  private trusted = '';
  private renewAt = 0;

  private constructor(readonly server: Server, private readonly options: NodesPortOptions) {
    this.timer = setInterval(() => void this.renew(), LOOK_MS).unref();
  }

  /** Throws what `listen` throws. */
  static async open(options: NodesPortOptions): Promise<NodesPort> {
    const server = createServer({ requestCert: true, rejectUnauthorized: false, minVersion: MIN_TLS_VERSION }, (request, response) => {
      if (isNodeRoute(request.method ?? '', request.url ?? '')) options.handler(request, response);
      else refuse(request, response);
    });
    server.requestTimeout = REQUEST_TIMEOUT_MS;
    server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS;
    const nodesPort = new NodesPort(server, options);
    try {
      await nodesPort.take();
      server.listen(options.port, options.host);
      await once(server, 'listening');
      return nodesPort;
    } catch (error) {
      clearInterval(nodesPort.timer);
      throw error;
    }
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private async renew(): Promise<void> {
    await this.take().catch((error: unknown) => this.options.log.warn('the certificate of the nodes port could not be renewed', { error }));
  }

  /** Takes up the keys as they are now, where they differ or its certificate is getting old. */
  private async take(): Promise<void> {
    const keyring = await this.options.keyring.current();
    const cas = keyring.authorities.flatMap(({ certificate }) => certificate ?? []);
    if (this.authority === keyring.signers.tls.id && this.trusted === cas.join('') && performance.now() < this.renewAt) return;
    const context = await this.certify(keyring, cas);
    this.server.setSecureContext(context);
  }

  private async certify({ signers }: Keyring, cas: string[]): Promise<SecureContextOptions> {
    const { certificate, authority, expiresAt } = await this.options.keyring.forControlPlane(this.keys.publicKey);
    this.authority = authority === signers.tls.id ? authority : undefined;
    this.trusted = cas.join('');
    this.renewAt = performance.now() + (expiresAt.getTime() - Date.now()) / RENEWED_AFTER;
    return { key: this.keys.privateKey.export({ type: 'pkcs8', format: 'pem' }), cert: certificate, ca: cas, minVersion: MIN_TLS_VERSION };
  }
}

function refuse(request: IncomingMessage, response: ServerResponse): void {
  const problem = toProblem(new WhorlError('API_ROUTE_NOT_FOUND', 'the nodes port has the routes of nodes alone; the API is on its own port'));
  request.resume();
  response.writeHead(problem.status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem));
}
