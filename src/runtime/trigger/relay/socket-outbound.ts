import { Agent, request } from 'node:http';
import type { Open, Outbound, OutboundEvents, Outgoing } from './exchange.js';
import { overHttp } from './http-outbound.js';

const MAX_FREE = 64;

export interface SocketTarget {
  path: string;
  /** Whether `100 Continue` is asked for before the body is sent. */
  asksToProceed: boolean;
}

export interface KeptSocketTarget extends SocketTarget {
  /** How long a connection without use is kept: shorter than the other side does. */
  keptMs: number;
}

/** To a process of this node, on its Unix socket, with a connection for each request: a kept one may belong to a process that is blocked, where others are not. */
export function toSocket({ path: socketPath, asksToProceed }: SocketTarget): Open {
  return overHttp({ begin: (head) => request({ ...head, socketPath, agent: false }), connected: 'connect', asksToProceed });
}

/**
 * To a process of this node, on its Unix socket, over connections that are used again: making one costs more than the request itself. The other
 * side may close one under the next request, so only requests without a body go over them: such a request goes out again as it was, on a
 * connection of its own, when nobody has read it. To be made once, not for each request.
 */
export function toKeptSocket({ keptMs, ...target }: KeptSocketTarget): Open {
  const { path: socketPath, asksToProceed } = target;
  const agent = new Agent({ keepAlive: true, scheduling: 'lifo', timeout: keptMs, maxFreeSockets: MAX_FREE });
  const once = toSocket(target);
  const kept = overHttp({ begin: (head) => request({ ...head, socketPath, agent }), connected: 'connect', asksToProceed, isUnread });
  return (outgoing, events) => (outgoing.hasBody ? once(outgoing, events) : openAgain([kept, once], outgoing, events));
}

/**
 * Whether an error of a Unix socket says that the other side closed it before it had read what was sent: writing fails with EPIPE when it is
 * closed, reading with ECONNRESET when something unread was thrown away. A connection that ends for another reason comes as ECONNRESET too, but not
 * of a system call.
 */
export function isUnread({ code, syscall }: NodeJS.ErrnoException): boolean {
  return code === 'EPIPE' || (code === 'ECONNRESET' && syscall !== undefined);
}

/** By the second way when nobody has seen anything of the request by the first. For requests without a body. */
function openAgain([first, second]: [Open, Open], outgoing: Outgoing, events: OutboundEvents): Outbound {
  let current = first(outgoing, {
    ...events,
    failed: (error, wasSent) => {
      if (wasSent) return events.failed(error, wasSent);
      current = second(outgoing, events);
      current.body.end();
    },
  });
  return {
    get body() {
      return current.body;
    },
    addTrailers: (trailers) => current.addTrailers(trailers),
    get answerTrailers() {
      return current.answerTrailers;
    },
    cancel: () => current.cancel(),
  };
}
