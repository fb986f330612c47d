import { randomUUID } from 'node:crypto';
import type { NextFunction, Request, Response } from 'express';
import type { ApiRequest } from './api-request.js';

/** A caller's own id is kept when it is short and harmless in a log. */
const ACCEPTABLE = /^[A-Za-z0-9._-]{1,64}$/;

/** Express middleware: gives the request an id and answers it as X-Request-Id. */
export function requestId(request: Request, response: Response, next: NextFunction): void {
  const given = request.get('x-request-id');
  const id = given !== undefined && ACCEPTABLE.test(given) ? given : randomUUID();
  (request as ApiRequest).id = id;
  response.setHeader('X-Request-Id', id);
  next();
}
