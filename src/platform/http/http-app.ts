import type { Server } from 'node:http';
import type { LoggerService, ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import express from 'express';
import swaggerUi from 'swagger-ui-express';
import type { Lifetime } from '../lifetime.js';
import type { Log } from '../log.js';
import { ApiDocs } from './api-docs.js';
import { ProblemFilter } from './problem.filter.js';
import { requestId } from './request-id.js';

/** A node ships its journal in batches of about a megabyte. */
const MAX_JSON_BYTES = 16 * 1024 * 1024;
/** A hundred megabytes over a slow line take a while; Node's default of 5 minutes would cut them. */
export const REQUEST_TIMEOUT_MS = 30 * 60_000;
/** Longer than the 60 s after which load balancers drop an idle connection: the side that reuses it must be the first to close. */
export const KEEP_ALIVE_TIMEOUT_MS = 65_000;
/** Whose bodies are left to their handlers, whatever their type. */
const RAW_PATHS = '/v2/';

export interface HttpAppOptions {
  log: Log;
  /** Of the API, in /openapi.json. */
  version: string;
  /** Once it has ended, every answer closes its connection. */
  lifetime: Lifetime;
}

/**
 * A Nest application with the platform's manners: request ids, problems as the single exit of errors, JSON bodies alone (streamed ones
 * are left to their handlers), `/openapi.json` and `/docs`. The caller initialises it, which begins its work, and listens.
 */
export async function createHttpApp(module: NonNullable<ModuleMetadata['imports']>[number], { log, version, lifetime }: HttpAppOptions): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(module, { bodyParser: false, logger: toNestLogger(log), abortOnError: false });
  app.disable('x-powered-by');
  // Entity tags are given to what can be changed conditionally, not to every answer.
  app.disable('etag');
  app.set('query parser', 'simple');
  app.use(requestId);
  app.use(closeWhenEnded(lifetime));
  app.use(jsonBodies());
  app.useGlobalFilters(new ProblemFilter(log));
  const docs = new ApiDocs(app, version);
  app.use('/openapi.json', docs.json);
  app.use('/docs', swaggerUi.serve, docs.page);
  const server = app.getHttpServer() as Server;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS;
  return app;
}

/** Documents of the OCI registry are kept as they come, also JSON: their digest is that of their bytes. */
function jsonBodies(): express.RequestHandler {
  const json = express.json({ limit: MAX_JSON_BYTES });
  return (request, response, next) => (request.path.startsWith(RAW_PATHS) ? next() : json(request, response, next));
}

/** Without it, clients that poll over one connection would keep a server from closing for ever. */
function closeWhenEnded(lifetime: Lifetime): express.RequestHandler {
  return (_request, response, next) => {
    if (lifetime.signal.aborted) response.setHeader('Connection', 'close');
    lifetime.signal.addEventListener('abort', onEnd);
    response.on('close', () => lifetime.signal.removeEventListener('abort', onEnd));
    next();

    function onEnd(): void {
      if (!response.headersSent) response.setHeader('Connection', 'close');
    }
  };
}

/** Nest tells about every route and module: only what went wrong is of interest. */
function toNestLogger(log: Log): LoggerService {
  const nest = log.with({ from: 'nest' });
  return {
    log: () => {},
    debug: () => {},
    verbose: () => {},
    warn: (message: unknown, ...rest: unknown[]) => nest.warn(String(message), { rest }),
    error: (message: unknown, ...rest: unknown[]) => nest.error(String(message), { rest }),
    fatal: (message: unknown, ...rest: unknown[]) => nest.error(String(message), { rest }),
  };
}
