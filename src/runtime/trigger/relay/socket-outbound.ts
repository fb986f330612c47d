import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Fields, Open, Outbound } from './exchange.js';
import { toPairs } from './relay-fields.js';

export interface SocketTarget {
  path: string;
  /** Whether `100 Continue` is asked for before the body is sent. */
  asksToProceed: boolean;
}

/**
 * To a process of this node, over HTTP/1.1 on its Unix socket. A connection for each request: a kept one could be closed under the next
 * request, or belong to a runner that is blocked, and a Unix socket costs little.
 */
export function toSocket({ path, asksToProceed }: SocketTarget): Open {
  return (outgoing, events): Outbound => {
    const { method, authority, target, fields, hasBody, isChunked } = outgoing;
    const upstream = httpRequest({
      socketPath: path,
      agent: false,
      method,
      path: target,
      headers: ['host', authority, ...fields, ...(isChunked ? ['transfer-encoding', 'chunked'] : []), ...(hasBody && asksToProceed ? ['expect', '100-continue'] : [])],
      setHost: false,
    });
    let answer: IncomingMessage | undefined;
    let isConnected = false;
    let isOver = false;
    const fail = (error: Error): void => {
      if (isOver) return;
      isOver = true;
      upstream.destroy();
      events.failed(error, isConnected);
    };
    upstream.once('socket', (socket) => socket.once('connect', () => {
      isConnected = true;
      if (!isOver) events.ready();
    }));
    upstream.on('error', fail);
    upstream.on('continue', () => isOver || events.proceed());
    upstream.on('information', ({ statusCode, rawHeaders }) => {
      if (!isOver && statusCode !== 100) events.inform(statusCode, rawHeaders);
    });
    upstream.on('response', (response) => {
      answer = response;
      response.on('error', fail);
      response.on('end', () => { isOver = true; });
      if (!isOver) events.head(response.statusCode!, response.rawHeaders, response);
    });
    // The head has to leave before the body is asked for.
    if (hasBody) upstream.flushHeaders();
    return {
      body: upstream,
      addTrailers: (trailers: Fields) => upstream.addTrailers(toPairs(trailers)),
      get answerTrailers(): Fields {
        return answer?.rawTrailers ?? [];
      },
      cancel: () => {
        isOver = true;
        upstream.destroy();
      },
    };
  };
}
