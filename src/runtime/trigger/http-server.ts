import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import { Server as SocketServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type RequestListener = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean) => void;

/** A head must be complete within this: slow senders hold a connection, not more. */
const HEADERS_TIMEOUT_MS = 15_000;
/** Longer than what load balancers keep (60 s), so that they close first and no request meets a closing connection. */
const KEEP_ALIVE_MS = 65_000;
export const MAX_HEADER_BYTES = 64 * 1024;
/** On top of the longest invocation: a request's body must have come within both. */
const REQUEST_SLACK_MS = 30_000;
/** Clients that have requests get `Connection: close` with an answer; when none has come for this long, idle connections are closed. */
const DRAIN_QUIET_MS = 500;
const DRAIN_LOOK_MS = 50;

/** How long clients may take. */
export interface ClientBounds {
  headersTimeoutMs: number;
  requestTimeoutMs: number;
}

/** For clients from anywhere. */
export const clientBounds = (maxInvocationMs: number): ClientBounds => ({
  headersTimeoutMs: HEADERS_TIMEOUT_MS,
  requestTimeoutMs: maxInvocationMs + REQUEST_SLACK_MS,
});

/**
 * For our own runners: while a guest holds the thread nothing is read, and what has come meanwhile must not be taken for late. They
 * have bounds of their own.
 */
export const NO_CLIENT_BOUNDS: ClientBounds = { headersTimeoutMs: 0, requestTimeoutMs: 0 };

/** Node's HTTP server with the bounds of a front. */
export function makeHttpServer({ headersTimeoutMs, requestTimeoutMs }: ClientBounds, listener: RequestListener, Response: typeof ServerResponse = ServerResponse): Server {
  const server = createServer(
    {
      ServerResponse: Response,
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 2_000,
      noDelay: true,
    },
    (request, response) => listener(request, response, false),
  );
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => listener(request, response, true));
  return server;
}

/**
 * Stops accepting and waits for what runs, `timeoutMs` at most; then closes what is left. A connection is closed only after an answer
 * that says so, or when no request came on any for a moment: closing one while its client has requests would race a request that is on its
 * way, and clients that keep many take each of them up sooner or later.
 * @param onCut the time is up, and what is left is about to be closed
 */
export async function drainServer(server: Server, timeoutMs: number, onCut: () => void = () => undefined): Promise<void> {
  const until = performance.now() + timeoutMs;
  let lastMs = performance.now();
  const note = (): void => { lastMs = performance.now(); };
  server.on('request', note).on('checkContinue', note);
  // That of the HTTP server would close idle connections at once.
  const closed = new Promise<void>((resolve) => SocketServer.prototype.close.call(server, () => resolve()));
  const done = new AbortController();
  const watch = async () => {
    while (performance.now() < until) {
      if (performance.now() - lastMs >= DRAIN_QUIET_MS) server.closeIdleConnections();
      await sleep(Math.min(DRAIN_LOOK_MS, timeoutMs), undefined, { signal: done.signal });
    }
    onCut();
    server.closeAllConnections();
  };
  await Promise.race([closed, watch().catch(() => undefined)]);
  done.abort();
  // Lets go of its timer too.
  server.close();
}
