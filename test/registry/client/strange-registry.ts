import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { BlobDigest } from '#contract/ids.js';
import type { TestCertificates } from '../../fixtures/certificates.js';

export const digestOf = (content: string | Uint8Array, algorithm = 'sha256'): BlobDigest => BlobDigest.parse(`${algorithm}:${createHash(algorithm).update(content).digest('hex')}`);

export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';

/** What was asked of a server. */
export interface Asked {
  method: string;
  path: string;
  authorization: string | undefined;
  range: string | undefined;
  body: string;
}

export type Handler = (response: ServerResponse, asked: Asked) => void;

/** A server that does with each path what a test says: what a registry does on a bad day, which none does when asked to. */
export class StrangeRegistry {
  readonly asked: Asked[] = [];
  private readonly handlers = new Map<string, Handler>();

  private constructor(private readonly server: Server, readonly scheme: 'http' | 'https') {}

  static async start(tls?: TestCertificates): Promise<StrangeRegistry> {
    const server: Server = tls ? createTlsServer({ cert: tls.cert, key: tls.key }) : createServer();
    const registry = new StrangeRegistry(server, tls ? 'https' : 'http');
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void registry.handle(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return registry;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  get origin(): string {
    return `${this.scheme}://${this.host}`;
  }

  /** Answers a path; a query does not count. */
  on(path: string, handler: Handler): this {
    this.handlers.set(path, handler);
    return this;
  }

  /** Has a manifest under a tag and its digest; answers the digest. */
  manifest(repository: string, tag: string, document: object | string, headers: Record<string, string> = {}): BlobDigest {
    const content = typeof document === 'string' ? document : JSON.stringify(document);
    const digest = digestOf(content);
    const answer: Handler = (response) => response.writeHead(200, { 'content-type': MANIFEST_TYPE, ...headers }).end(content);
    this.on(`/v2/${repository}/manifests/${tag}`, answer).on(`/v2/${repository}/manifests/${digest}`, answer);
    return digest;
  }

  /** Requests whose path ends like this. */
  askedFor(end: string): Asked[] {
    return this.asked.filter(({ path }) => path.split('?')[0]!.endsWith(end));
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => { this.server.close(resolve); });
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const asked = { method: request.method!, path: request.url!, authorization: request.headers.authorization, range: request.headers.range, body };
    this.asked.push(asked);
    const handler = this.handlers.get(request.url!.split('?')[0]!);
    if (handler) return handler(response, asked);
    response.writeHead(404, { 'content-type': 'application/json' }).end(JSON.stringify({ errors: [{ code: 'NAME_UNKNOWN', message: 'nothing of that name' }] }));
  }
}

/** A manifest with one layer, as small as can be. */
export const manifestOf = (layer: Uint8Array | string): object => ({
  schemaVersion: 2, mediaType: MANIFEST_TYPE,
  config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf('{}'), size: 2 },
  layers: [{ mediaType: 'application/wasm', digest: digestOf(layer), size: layer.length }],
});

/** Reads part of some bytes as servers do that know ranges. */
export function sendRange(response: ServerResponse, content: Buffer, { range }: Asked, upTo = content.length): void {
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
  const headers = { 'content-length': String(content.length - start), ...(start > 0 && { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` }) };
  response.writeHead(start > 0 ? 206 : 200, headers);
  if (upTo >= content.length) response.end(content.subarray(start));
  else response.write(content.subarray(start, upTo), () => setTimeout(() => response.destroy(), 20));
}
