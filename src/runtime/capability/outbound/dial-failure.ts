import type { Invocation } from '../guest.js';
import { errorCodeOf } from '../http/error-code.js';

const WORDS: Readonly<Record<string, string>> = {
  'DNS-timeout': 'the name was not resolved in time',
  'DNS-error': 'the name cannot be resolved',
  'destination-IP-prohibited': 'the platform does not allow connections to the address',
  'destination-IP-unroutable': 'the address cannot be reached',
  'connection-refused': 'the connection was refused',
  'connection-terminated': 'the connection was closed',
  'connection-timeout': 'the connection was not made in time',
  'connection-limit-reached': 'too many connections',
  'TLS-certificate-error': 'the certificate of the server is not trusted',
  'TLS-protocol-error': 'no secure connection could be made',
  'TLS-alert-received': 'the server refused the secure connection',
};

/** Why a connection was not made. */
export interface DialFailure {
  isLimit: boolean;
  /** In plain words, without addresses or credentials. */
  message: string;
}

/**
 * What a guest learns of a rejection of `dial`, for interfaces that are not HTTP. What is a matter for the operator is noted in the log of
 * the invocation that asked.
 */
export function toDialFailure(invocation: Invocation, error: unknown): DialFailure {
  const code = errorCodeOf(error);
  if (code.tag === 'destination-IP-prohibited') noteProhibited(invocation);
  return { isLimit: code.tag === 'connection-limit-reached', message: WORDS[code.tag] ?? (error as Error).message };
}

/** A forbidden address is a matter for the operator: it is said in the log, since the guest sees a bare code. */
export function noteProhibited(invocation: Invocation): void {
  invocation.note('A component tried to make an outbound network connection to an address that the platform does not allow (private, loopback, link-local, reserved, or blocked by the operator).');
}
