import { createHash } from 'node:crypto';
import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { Response } from 'express';
import { lastValueFrom, type Observable, of } from 'rxjs';
import { WhorlError } from '#contract/errors.js';
import type { ApiRequest } from './api-request.js';
import { ENDPOINT } from './endpoint.decorator.js';
import type { EndpointSpec } from './endpoint.js';
import { IdempotencyRepository, RENEW_MS, type StoredAnswer } from './idempotency.repository.js';

const KEPT_HEADERS = ['Location', 'ETag', 'Preference-Applied'];
const KEY = /^[\x21-\x7e]{1,255}$/;

/**
 * Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): the first successful answer to a key is given again, with
 * `Idempotency-Replayed: true`; a failed request lets go of its key. A key belongs to one token, method, path and request. One whose
 * process died is let go of a moment later: what the request has begun knows its key (`ApiRequest.idempotencyId`), and is gone on with.
 */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  constructor(private readonly answers: IdempotencyRepository) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = context.switchToHttp().getRequest<ApiRequest>();
    const response = context.switchToHttp().getResponse<Response>();
    const spec = Reflect.getMetadata(ENDPOINT, context.getHandler()) as EndpointSpec | undefined;
    const key = request.get('idempotency-key');
    if (!spec?.idempotent || key === undefined) return next.handle();
    if (!KEY.test(key)) throw new WhorlError('API_INPUT_INVALID', 'Idempotency-Key: expected 1 to 255 visible ASCII characters', { fields: { 'Idempotency-Key': ['expected 1 to 255 visible ASCII characters'] } });

    const id = sha256(JSON.stringify([request.principal?.name, request.method, request.path, key]));
    const fingerprint = sha256(JSON.stringify([request.originalUrl, spec.streamedBody && !request.is('json') ? null : (request.body ?? null)]));
    request.idempotencyId = id;
    const known = await this.answers.claim(id, fingerprint);
    if (known) return of(await replay(known, { key, fingerprint, request, response }));
    return of(await this.run(id, next, { request, response }));
  }

  private async run(id: string, next: CallHandler, { request, response }: { request: ApiRequest; response: Response }): Promise<unknown> {
    // Without a word for a while it counts as gone with its process. What cannot be said now is said the next time.
    const renewal = setInterval(() => void this.answers.renew(id).catch(() => {}), RENEW_MS);
    try {
      const body: unknown = await lastValueFrom(next.handle(), { defaultValue: null });
      await this.answers.save(id, { status: response.statusCode, headers: headersOf(response), body, bodyDigest: request.bodyDigest ?? null });
      return body;
    } catch (error) {
      await this.answers.release(id);
      throw error;
    } finally {
      clearInterval(renewal);
    }
  }
}

interface Replay {
  key: string;
  fingerprint: string;
  request: ApiRequest;
  response: Response;
}

async function replay(known: StoredAnswer, { key, fingerprint, request, response }: Replay): Promise<unknown> {
  if (known.fingerprint !== fingerprint) throw new WhorlError('API_IDEMPOTENCY_KEY_REUSED', `the key ${key} was used for another request`);
  if (known.status === null) throw new WhorlError('API_IDEMPOTENCY_KEY_IN_USE', `the first request with the key ${key} has not ended yet`);
  if (known.bodyDigest !== null && (await digestOf(request)) !== known.bodyDigest) {
    throw new WhorlError('API_IDEMPOTENCY_KEY_REUSED', `the key ${key} was used for a request with another body`);
  }
  response.status(known.status).set((known.headers ?? {}) as Record<string, string>).setHeader('Idempotency-Replayed', 'true');
  return known.body;
}

/** Of those that belong to the answer. */
function headersOf(response: Response): Record<string, string> {
  return Object.fromEntries(KEPT_HEADERS.flatMap((name) => {
    const value = response.getHeader(name);
    return typeof value === 'string' ? [[name, value]] : [];
  }));
}

async function digestOf(request: ApiRequest): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of request.iterator({ destroyOnReturn: false })) hash.update(chunk as Uint8Array);
  return `sha256:${hash.digest('hex')}`;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
