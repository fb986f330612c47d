import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { isIP } from 'node:net';
import { Agent, type Dispatcher, request } from 'undici';
import { WhorlError } from '#contract/errors.js';
import type { Digest } from '#contract/ids.js';
import { isAllowedAddress } from '#platform/http/reachable-address.js';
import { checkedLookup } from '#registry/client/source-address.js';

export interface SourceClientOptions {
  /** Largest source. */
  maxBytes: number;
  /** Lets sources come from private addresses and the loopback. */
  allowPrivate: boolean;
  /** For one source, redirects and all. */
  timeoutMs: number;
}

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Fetches components' sources that a manifest names by URL and digest. */
export class SourceClient {
  private readonly agent: Agent;

  constructor(private readonly options: SourceClientOptions) {
    this.agent = new Agent({ connect: { lookup: checkedLookup(options.allowPrivate), timeout: 10_000 }, headersTimeout: 30_000, bodyTimeout: 30_000 });
  }

  /**
   * Writes what is at `url` to `file`. Throws REGISTRY_SOURCE_UNREACHABLE, REGISTRY_SOURCE_REFUSED (where it may not be fetched from),
   * REGISTRY_SOURCE_MISMATCH (another digest, too large), the signal's reason; then there is no file.
   */
  async fetch(url: string, digest: Digest, file: string, signal: AbortSignal): Promise<{ bytes: number }> {
    const ends = AbortSignal.any([signal, AbortSignal.timeout(this.options.timeoutMs)]);
    try {
      const body = await this.open(url, ends);
      const hash = createHash('sha256');
      const bytes = await this.write(body, file, hash, ends);
      const actual = `sha256:${hash.digest('hex')}`;
      if (actual !== digest) throw new WhorlError('REGISTRY_SOURCE_MISMATCH', `${url} gives ${actual}, the manifest says ${digest}`);
      return { bytes };
    } catch (error) {
      await rm(file, { force: true });
      signal.throwIfAborted();
      throw asSourceError(url, error, this.options.timeoutMs);
    }
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }

  /** Follows redirects itself, so that each hop is checked like the first. */
  private async open(url: string, signal: AbortSignal): Promise<Dispatcher.ResponseData['body']> {
    let current = new URL(url);
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      this.checkUrl(current);
      const { statusCode, headers, body } = await request(current, { dispatcher: this.agent, signal, headers: { accept: 'application/wasm, application/octet-stream, */*' } });
      if (statusCode === 200) return body;
      body.destroy();
      body.on('error', () => {});
      if (!REDIRECTS.has(statusCode)) throw new WhorlError('REGISTRY_SOURCE_UNREACHABLE', `${current.href} answers ${statusCode}`);
      const location = typeof headers.location === 'string' ? URL.parse(headers.location, current) : null;
      if (!location) throw new WhorlError('REGISTRY_SOURCE_UNREACHABLE', `${current.href} answers ${statusCode} without a place to go to`);
      if (current.protocol === 'https:' && location.protocol === 'http:') throw new WhorlError('REGISTRY_SOURCE_REFUSED', `${current.href} redirects from https to ${location.href}`);
      current = location;
    }
    throw new WhorlError('REGISTRY_SOURCE_UNREACHABLE', `${url} redirects more than ${MAX_REDIRECTS} times`);
  }

  private checkUrl(url: URL): void {
    if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new WhorlError('REGISTRY_SOURCE_REFUSED', `${url.href} is no http(s) URL`);
    // Addresses in URLs are not looked up, so they are checked here.
    const host = url.hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) && !isAllowedAddress(host, this.options.allowPrivate)) throw new WhorlError('REGISTRY_SOURCE_REFUSED', `${host} is an address that may not be fetched from`);
  }

  private async write(body: AsyncIterable<Uint8Array>, file: string, hash: ReturnType<typeof createHash>, signal: AbortSignal): Promise<number> {
    const { maxBytes } = this.options;
    let bytes = 0;
    async function* counted() {
      for await (const chunk of body) {
        bytes += chunk.length;
        if (bytes > maxBytes) throw new WhorlError('REGISTRY_SOURCE_MISMATCH', `it has more than the ${maxBytes} bytes that a source may have`);
        hash.update(chunk);
        yield chunk;
      }
    }
    await pipeline(counted(), createWriteStream(file, { flags: 'wx' }), { signal });
    return bytes;
  }
}

function asSourceError(url: string, error: unknown, timeoutMs: number): WhorlError {
  if (error instanceof WhorlError) return error;
  const { name, message, cause } = error as Error;
  if (cause instanceof WhorlError) return cause;
  if (name === 'TimeoutError' || (cause as Error | undefined)?.name === 'TimeoutError') return new WhorlError('REGISTRY_SOURCE_UNREACHABLE', `${url} was not fetched within ${timeoutMs} ms`, { cause: error });
  return new WhorlError('REGISTRY_SOURCE_UNREACHABLE', `${url} cannot be fetched: ${message}`, { cause: error });
}
