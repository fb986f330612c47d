/**
 * `error-code` of wasi:http/types (0.2 and 0.3 have the same cases; the names are those of RFC 9209, section 2.3). Only what this
 * host can meet is named here.
 */
export type ErrorCode =
  | { tag: 'DNS-timeout' }
  | { tag: 'DNS-error'; val: { rcode: string | undefined; infoCode: number | undefined } }
  | { tag: 'destination-not-found' }
  | { tag: 'destination-unavailable' }
  | { tag: 'destination-IP-prohibited' }
  | { tag: 'destination-IP-unroutable' }
  | { tag: 'connection-refused' }
  | { tag: 'connection-terminated' }
  | { tag: 'connection-timeout' }
  | { tag: 'connection-read-timeout' }
  | { tag: 'connection-limit-reached' }
  | { tag: 'TLS-protocol-error' }
  | { tag: 'TLS-certificate-error' }
  | { tag: 'TLS-alert-received'; val: { alertId: number | undefined; alertMessage: string | undefined } }
  | { tag: 'HTTP-request-denied' }
  | { tag: 'HTTP-request-body-size'; val: bigint | undefined }
  | { tag: 'HTTP-request-method-invalid' }
  | { tag: 'HTTP-request-URI-invalid' }
  | { tag: 'HTTP-response-incomplete' }
  | { tag: 'HTTP-response-header-section-size'; val: number | undefined }
  | { tag: 'HTTP-response-body-size'; val: bigint | undefined }
  | { tag: 'HTTP-response-transfer-coding'; val: string | undefined }
  | { tag: 'HTTP-response-timeout' }
  | { tag: 'HTTP-upgrade-failed' }
  | { tag: 'HTTP-protocol-error' }
  | { tag: 'internal-error'; val: string | undefined };

/** An error on its way through JavaScript that a guest will see as `code`. */
export class HttpError extends Error {
  override name = 'HttpError';

  constructor(readonly httpCode: ErrorCode, options?: { cause?: unknown }) {
    super(httpCode.tag, options);
  }
}

const DNS_FAULT = { rcode: 'address not available', infoCode: undefined };

const BY_CODE: Readonly<Record<string, ErrorCode>> = {
  ENOTFOUND: { tag: 'DNS-error', val: DNS_FAULT },
  ENODATA: { tag: 'DNS-error', val: DNS_FAULT },
  EAI_AGAIN: { tag: 'DNS-timeout' },
  ECONNREFUSED: { tag: 'connection-refused' },
  ECONNRESET: { tag: 'connection-terminated' },
  EPIPE: { tag: 'connection-terminated' },
  UND_ERR_SOCKET: { tag: 'connection-terminated' },
  ETIMEDOUT: { tag: 'connection-timeout' },
  UND_ERR_CONNECT_TIMEOUT: { tag: 'connection-timeout' },
  EHOSTUNREACH: { tag: 'destination-IP-unroutable' },
  ENETUNREACH: { tag: 'destination-IP-unroutable' },
  EADDRNOTAVAIL: { tag: 'destination-IP-unroutable' },
  EPROTO: { tag: 'TLS-protocol-error' },
  ENETDOWN: { tag: 'destination-unavailable' },
  EHOSTDOWN: { tag: 'destination-unavailable' },
  HPE_HEADER_OVERFLOW: { tag: 'HTTP-response-header-section-size', val: undefined },
  HPE_INVALID_TRANSFER_ENCODING: { tag: 'HTTP-response-transfer-coding', val: undefined },
  UND_ERR_HEADERS_OVERFLOW: { tag: 'HTTP-response-header-section-size', val: undefined },
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: { tag: 'HTTP-response-incomplete' },
  UND_ERR_REQ_CONTENT_LENGTH_MISMATCH: { tag: 'HTTP-request-body-size', val: undefined },
  UND_ERR_INVALID_ARG: { tag: 'HTTP-request-URI-invalid' },
};

const PROTOCOL: ErrorCode = { tag: 'HTTP-protocol-error' };
const CERTIFICATE = /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH|INVALID_CA|PATH_LENGTH_EXCEEDED|CRL_|ERR_TLS_CERT_)/;

/** What errors of sockets, TLS and undici have in common; `errors` are the attempts of a connection to several addresses. */
interface Cause {
  name?: unknown;
  code?: unknown;
  cause?: unknown;
  errors?: readonly unknown[];
  message?: unknown;
}

/** The code for an error of a socket, of TLS or of undici. */
export function errorCodeOf(error: unknown): ErrorCode {
  let at = error as Cause | undefined | null;
  for (let depth = 0; at && depth < 4; depth += 1) {
    if (at instanceof HttpError) return at.httpCode;
    // undici's parser leaves the code out of some of its errors
    const found = at.name === 'HTTPParserError' ? PROTOCOL : typeof at.code === 'string' ? (toAlert(at.code, at.message) ?? byCode(at.code)) : null;
    if (found) return found;
    at = (at.errors?.at(-1) ?? at.cause) as Cause | undefined;
  }
  const { message } = (error ?? {}) as Cause;
  return { tag: 'internal-error', val: typeof message === 'string' ? message : String(error) };
}

/** An alert of the other side, by OpenSSL's name and number of it (`ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE`, `SSL alert number 40`). */
function toAlert(code: string, message: unknown): ErrorCode | null {
  const name = /^ERR_SSL_(?:SSLV3|TLSV1|TLSV13)_ALERT_(\w+)$/.exec(code)?.[1];
  if (name === undefined) return null;
  const number = /SSL alert number (\d{1,3})/.exec(String(message))?.[1];
  return { tag: 'TLS-alert-received', val: { alertId: number === undefined ? undefined : Number(number), alertMessage: name.toLowerCase().replaceAll('_', ' ') } };
}

function byCode(code: string): ErrorCode | null {
  const known = BY_CODE[code];
  if (known) return known;
  if (CERTIFICATE.test(code)) return { tag: 'TLS-certificate-error' };
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_')) return { tag: 'TLS-protocol-error' };
  return code.startsWith('HPE_') ? PROTOCOL : null;
}
