import { request } from 'node:http';
import type { Open } from './exchange.js';
import { overHttp } from './http-outbound.js';

export interface SocketTarget {
  path: string;
  /** Whether `100 Continue` is asked for before the body is sent. */
  asksToProceed: boolean;
}

/**
 * To a process of this node, on its Unix socket. A connection for each request: a kept one could be closed under the next request, or belong to
 * a runner that is blocked, and a Unix socket costs little.
 */
export function toSocket({ path: socketPath, asksToProceed }: SocketTarget): Open {
  return overHttp({ begin: (head) => request({ ...head, socketPath, agent: false }), connected: 'connect', asksToProceed });
}
