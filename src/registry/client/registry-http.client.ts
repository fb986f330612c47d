import { type Dispatcher, request } from 'undici';
import { WhorlError } from '#contract/errors.js';
import { VERSION } from '#platform/version.js';
import type { Dispatchers } from './dispatchers.js';
import { isPassingError, isPassingStatus, retryDelayMs, type Wait } from './retry.js';

export interface RegistryRequest {
  method?: 'GET' | 'HEAD' | 'POST';
  url: URL;
  headers?: Record<string, string>;
  /** Is only sent to the origin of `url`. */
  authorization?: string | undefined;
  body?: string;
}

export interface RegistryAnswer {
  status: number;
  headers: Dispatcher.ResponseData['headers'];
  body: Dispatcher.ResponseData['body'];
  /** Where redirects have led. */
  url: URL;
}

const MAX_REDIRECTS = 5;
/** Reading more costs more than a new connection. */
const DROPPED_BYTES = 16 * 1024;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/**
 * HTTP as registries need it: each hop is checked, redirects are followed by hand without what only the registry may know, and what may pass is
 * tried again.
 */
export class RegistryHttp {
  constructor(
    private readonly dispatchers: Dispatchers,
    readonly wait: Wait,
  ) {}

  /**
   * Sends a request until it is answered by something that will not pass by itself, whatever its status. The caller reads the body, or
   * drops it. Throws REGISTRY_IMAGE_REFUSED, REGISTRY_IMAGE_UNREACHABLE, the signal's reason.
   */
  async send(call: RegistryRequest, signal: AbortSignal): Promise<RegistryAnswer> {
    for (let attempt = 1; ; attempt++) {
      const { answer, failure } = await this.follow(call, signal).then((got) => ({ answer: got, failure: undefined }), (error: unknown) => ({ answer: undefined, failure: error }));
      signal.throwIfAborted();
      if (answer && !isPassingStatus(answer.status)) return answer;
      const retryAfter = answer && fieldOf(answer, 'retry-after');
      if (answer) dropBody(answer);
      const mayPass = answer !== undefined || isPassingError(failure);
      const delayMs = mayPass ? retryDelayMs({ attempt, retryAfter, nowMs: Date.now(), random: Math.random() }) : undefined;
      if (delayMs === undefined) {
        if (!answer) throw asImageError(call.url, failure);
        throw new WhorlError('REGISTRY_IMAGE_UNREACHABLE', `${answer.url.host} answers ${answer.status}${retryAfter ? `, and wants to be left alone for ${retryAfter} (Retry-After)` : ''}`);
      }
      await this.wait(delayMs, signal);
    }
  }

  private async follow({ method = 'GET', url, headers, authorization, body }: RegistryRequest, signal: AbortSignal): Promise<RegistryAnswer> {
    let current = url;
    // Whoever was once led away is no longer sent by the registry alone: coming back does not bring the token back.
    let carries = authorization !== undefined;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const answer = await request(current, {
        dispatcher: this.dispatchers.of(current), method, signal, body: body ?? null,
        headers: { 'user-agent': `whorl/${VERSION}`, 'accept-encoding': 'identity', ...headers, ...(carries && { authorization: authorization! }) },
      });
      // It is read later, or never; until then its failures are nobody's.
      answer.body.on('error', () => {});
      const { statusCode: status } = answer;
      if (!REDIRECTS.has(status)) return { status, headers: answer.headers, body: answer.body, url: current };
      dropBody(answer);
      if (method === 'POST') throw new WhorlError('REGISTRY_IMAGE_UNREACHABLE', `${current.host} redirects a request that carries credentials`);
      const location = URL.parse(fieldOf(answer, 'location') ?? '//', current);
      if (!location) throw new WhorlError('REGISTRY_IMAGE_UNREACHABLE', `${current.host} answers ${status} without a place to go to`);
      if (current.protocol === 'https:' && location.protocol === 'http:') throw new WhorlError('REGISTRY_IMAGE_REFUSED', `${current.host} redirects from https to ${location.origin}`);
      carries &&= location.origin === url.origin;
      current = location;
    }
    throw new WhorlError('REGISTRY_IMAGE_UNREACHABLE', `${url.host} redirects more than ${MAX_REDIRECTS} times`);
  }
}

/** Reads a body that nobody wants, when it is short, so that its connection can be used again. */
export function dropBody({ body }: Pick<RegistryAnswer, 'body'>): void {
  body.dump({ limit: DROPPED_BYTES }).catch(() => body.destroy());
}

/** A header field; the first one when it came several times. */
export function fieldOf({ headers }: Pick<RegistryAnswer, 'headers'>, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Reads a body of at most so many bytes. Throws REGISTRY_IMAGE_MISMATCH for a larger one, REGISTRY_IMAGE_UNREACHABLE when it breaks off. */
export async function readBody({ body, url }: RegistryAnswer, maxBytes: number, signal: AbortSignal): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new WhorlError('REGISTRY_IMAGE_MISMATCH', `${url.host} answers with more than the ${maxBytes} bytes that it may`);
      chunks.push(chunk);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw asImageError(url, error);
  }
  return Buffer.concat(chunks);
}

/** What a request failed with, as one of our errors. */
export function asImageError(url: URL, error: unknown): WhorlError {
  for (let at = error as Error | undefined; at; at = at.cause as Error | undefined) {
    // Refused when its name was looked up.
    if (at instanceof WhorlError) return at.code === 'REGISTRY_SOURCE_REFUSED' ? new WhorlError('REGISTRY_IMAGE_REFUSED', at.message) : at;
  }
  return new WhorlError('REGISTRY_IMAGE_UNREACHABLE', `${url.host} does not answer: ${messageOf(error as Error)}`, { cause: error });
}

/** Of several addresses that were tried, each has its error. */
function messageOf(error: Error): string {
  return error instanceof AggregateError ? error.errors.map((each: Error) => each.message).join('; ') : error.message;
}
