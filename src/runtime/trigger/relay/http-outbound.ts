import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Fields, Open, Outbound } from './exchange.js';
import { toPairs } from './relay-fields.js';

export interface HttpOutboundOptions {
  /** Begins a request with these fields. */
  begin(head: { method: string; path: string; headers: Fields; setHost: false }): ClientRequest;
  /** When a new connection can carry it. */
  connected: 'connect' | 'secureConnect';
  /** Whether `100 Continue` is asked for before the body is sent. */
  asksToProceed: boolean;
  /** Whether an error on a connection that was used before says that nobody has read the request. */
  isUnread?(error: Error): boolean;
}

/** To whoever takes HTTP/1.1. */
export function overHttp({ begin, connected, asksToProceed, isUnread = () => false }: HttpOutboundOptions): Open {
  return (outgoing, events): Outbound => {
    const { method, authority, target, fields, hasBody, isChunked } = outgoing;
    const framing = isChunked ? ['transfer-encoding', 'chunked'] : [];
    const expecting = hasBody && asksToProceed ? ['expect', '100-continue'] : [];
    const upstream = begin({ method, path: target, headers: ['host', authority, ...fields, ...framing, ...expecting], setHost: false });
    let answer: IncomingMessage | undefined;
    let isConnected = false;
    let isHeard = false;
    let isOver = false;
    const fail = (error: Error): void => {
      if (isOver) return;
      isOver = true;
      upstream.destroy();
      events.failed(error, isConnected && (isHeard || !upstream.reusedSocket || !isUnread(error)));
    };
    const ready = (): void => {
      isConnected = true;
      if (!isOver) events.ready();
    };
    upstream.once('socket', (socket) => (upstream.reusedSocket ? ready() : socket.once(connected, ready)));
    upstream.on('error', fail);
    upstream.on('continue', () => isOver || events.proceed());
    upstream.on('information', ({ statusCode, rawHeaders }) => {
      isHeard = true;
      if (!isOver && statusCode !== 100) events.inform(statusCode, rawHeaders);
    });
    upstream.on('response', (response) => {
      answer = response;
      isHeard = true;
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
