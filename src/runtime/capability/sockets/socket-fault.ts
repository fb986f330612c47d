import { HttpError } from '../http/error-code.js';

/** What can go wrong, in the words of wasi:sockets@0.2; `connection-broken` is of 0.3 alone. */
export type FaultCode =
  | 'unknown' | 'access-denied' | 'not-supported' | 'invalid-argument' | 'timeout' | 'concurrency-conflict' | 'not-in-progress' | 'would-block'
  | 'invalid-state' | 'new-socket-limit' | 'address-not-bindable' | 'address-in-use' | 'remote-unreachable' | 'connection-refused'
  | 'connection-reset' | 'connection-aborted' | 'connection-broken' | 'datagram-too-large' | 'name-unresolvable' | 'temporary-resolver-failure'
  | 'permanent-resolver-failure';

const BY_ERRNO: Readonly<Record<string, FaultCode>> = {
  EACCES: 'access-denied', EPERM: 'access-denied', EADDRINUSE: 'address-in-use', EADDRNOTAVAIL: 'address-not-bindable', EAFNOSUPPORT: 'not-supported',
  ECONNABORTED: 'connection-aborted', ECONNREFUSED: 'connection-refused', ECONNRESET: 'connection-reset', EHOSTUNREACH: 'remote-unreachable',
  EINVAL: 'invalid-argument', EMFILE: 'new-socket-limit', EMSGSIZE: 'datagram-too-large', ENETUNREACH: 'remote-unreachable', ENFILE: 'new-socket-limit', EPIPE: 'connection-broken',
  ETIMEDOUT: 'timeout', ENOTFOUND: 'name-unresolvable', ENODATA: 'name-unresolvable', EAI_AGAIN: 'temporary-resolver-failure',
};

const BY_HTTP: Readonly<Record<string, FaultCode>> = {
  'connection-timeout': 'timeout', 'destination-IP-prohibited': 'access-denied', 'connection-limit-reached': 'new-socket-limit',
};

/** What a socket's operation ends with, for either version to put in its own terms. */
export class SocketFault extends Error {
  override name = 'SocketFault';

  constructor(readonly fault: FaultCode, options?: { cause?: unknown }) {
    super(fault, options);
  }

  /** Of an error of Node's, or of `dial`'s. */
  static from(error: unknown): SocketFault {
    if (error instanceof SocketFault) return error;
    const known = error instanceof HttpError ? BY_HTTP[error.httpCode.tag] : BY_ERRNO[String((error as NodeJS.ErrnoException).code)];
    return new SocketFault(known ?? 'unknown', { cause: error });
  }

  /** `error-code` of 0.2, an enum. */
  get code02(): string {
    return this.fault === 'connection-broken' ? 'connection-aborted' : this.fault;
  }

  /** `error-code` of 0.3, a variant. */
  get code03(): { tag: string; val?: string | undefined } {
    switch (this.fault) {
      case 'unknown': return { tag: 'other', val: this.cause instanceof Error ? this.cause.message : undefined };
      case 'new-socket-limit': return { tag: 'other', val: 'connection quota exhausted' };
      case 'concurrency-conflict':
      case 'not-in-progress': return { tag: 'invalid-state' };
      case 'would-block': return { tag: 'other', val: 'would block' };
      default: return { tag: this.fault };
    }
  }
}
