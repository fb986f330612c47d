import { type ArgumentsHost, Catch, type ExceptionFilter, Injectable } from '@nestjs/common';
import type { Response } from 'express';
import type { ApiRequest } from '#platform/http/api-request.js';
import { toWhorlError } from '#platform/http/problem.filter.js';
import { Log } from '#platform/log.js';
import { toOciErrors } from './oci-errors.js';

const RETRY_AFTER_S = 1;

/** The exit of errors below /v2: the specification's body in the place of a problem. What is not a WhorlError is told to the log alone. */
@Catch()
@Injectable()
export class OciErrorFilter implements ExceptionFilter {
  constructor(private readonly log: Log) {}

  catch(exception: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<ApiRequest>();
    const response = http.getResponse<Response>();
    const error = toWhorlError(exception);
    const { status, fault } = error.entry;
    // A client that is gone is nobody's fault.
    if (fault === 'system' && !request.destroyed) {
      this.log[status === 500 ? 'error' : 'warn'](error.message, { requestId: request.id, method: request.method, path: request.path, error: exception });
    }
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (status === 503) response.setHeader('Retry-After', RETRY_AFTER_S);
    response.status(status).type('application/json').send(JSON.stringify(toOciErrors(error)));
  }
}
