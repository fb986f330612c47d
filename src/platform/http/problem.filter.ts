import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { Response } from 'express';
import { type ErrorCode, toProblem, WhorlError } from '#contract/errors.js';
import type { Log } from '../log.js';
import { isUnavailable } from '../prisma/unavailable.js';
import type { ApiRequest } from './api-request.js';

/** `type` of body-parser's errors (its README, "Errors"). */
const PARSER_ERRORS: Record<string, ErrorCode> = {
  'entity.parse.failed': 'API_BODY_MALFORMED',
  'entity.verify.failed': 'API_BODY_MALFORMED',
  'request.size.invalid': 'API_BODY_MALFORMED',
  'entity.too.large': 'API_BODY_TOO_LARGE',
  'parameters.too.many': 'API_BODY_TOO_LARGE',
  'encoding.unsupported': 'API_MEDIA_TYPE_UNSUPPORTED',
  'charset.unsupported': 'API_MEDIA_TYPE_UNSUPPORTED',
  'request.aborted': 'API_REQUEST_ABORTED',
};

/** What Nest itself and its adapter throw, by status. */
const NEST_ERRORS: Record<number, ErrorCode> = {
  400: 'API_BODY_MALFORMED',
  404: 'API_ROUTE_NOT_FOUND',
  413: 'API_BODY_TOO_LARGE',
  415: 'API_MEDIA_TYPE_UNSUPPORTED',
  503: 'API_OVERLOADED',
};

const RETRY_AFTER_S = 1;

/** The single exit of every error: an RFC 9457 problem. What is not a WhorlError is told to the log alone. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly log: Log) {}

  catch(exception: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<ApiRequest>();
    const response = http.getResponse<Response>();
    const error = toWhorlError(exception);
    if (error.entry.fault === 'system') {
      // What is away comes back; what is wrong wants a person.
      const level = error.entry.status === 500 ? 'error' : 'warn';
      this.log[level](error.message, { requestId: request.id, method: request.method, path: request.path, error: exception });
    }
    if (response.headersSent) {
      // Half an answer is out: cutting the connection is the only way left to say that it failed.
      response.destroy();
      return;
    }
    const problem = toProblem(error, request.id);
    if (problem.status === 401) response.setHeader('WWW-Authenticate', challenge(request));
    if (problem.status === 403) response.setHeader('WWW-Authenticate', 'Bearer realm="whorl", error="insufficient_scope"');
    if (problem.status === 503) response.setHeader('Retry-After', RETRY_AFTER_S);
    response.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  }
}

/** RFC 6750 §3: without credentials in the request, the challenge carries no error. */
function challenge(request: ApiRequest): string {
  return request.get('authorization') === undefined ? 'Bearer realm="whorl"' : 'Bearer realm="whorl", error="invalid_token"';
}

/** The parser's own message quotes the body, which may hold a secret. */
function notJson(message: string): string {
  const position = /position \d+/.exec(message)?.[0];
  return `the body is not well-formed JSON${position ? `, ${position}` : ''}`;
}

/** What an exception of any origin means to the caller. */
export function toWhorlError(exception: unknown): WhorlError {
  if (exception instanceof WhorlError) return exception;
  const { type, status, message } = (exception ?? {}) as { type?: unknown; status?: unknown; message?: unknown };
  const parserCode = typeof type === 'string' ? PARSER_ERRORS[type] : undefined;
  if (parserCode) return new WhorlError(parserCode, type === 'entity.parse.failed' ? notJson(String(message)) : String(message), { cause: exception });
  if (exception instanceof HttpException) {
    const code = NEST_ERRORS[exception.getStatus()];
    if (code) return new WhorlError(code, exception.message, { cause: exception });
  }
  // Express and body-parser mark the client's faults with a status below 500.
  if (typeof status === 'number' && status >= 400 && status < 500) return new WhorlError(NEST_ERRORS[status] ?? 'API_BODY_MALFORMED', String(message), { cause: exception });
  if (isUnavailable(exception)) return new WhorlError('API_DATABASE_UNAVAILABLE', 'the database cannot be reached', { cause: exception });
  return new WhorlError('INTERNAL', 'the control plane failed to handle this request', { cause: exception });
}
