import { describe, expect, it } from '@jest/globals';
import { errorCodeOf, HttpError } from './error-code.js';
import { errorText } from './error-text.js';

const coded = (code: string, message = '') => Object.assign(new Error(message), { code });

describe(errorCodeOf.name, () => {
  it.each([
    ['ENOTFOUND', { tag: 'DNS-error', val: { rcode: 'address not available', infoCode: undefined } }],
    ['EAI_AGAIN', { tag: 'DNS-timeout' }],
    ['ECONNREFUSED', { tag: 'connection-refused' }],
    ['ECONNRESET', { tag: 'connection-terminated' }],
    ['ETIMEDOUT', { tag: 'connection-timeout' }],
    ['EHOSTUNREACH', { tag: 'destination-IP-unroutable' }],
    ['EHOSTDOWN', { tag: 'destination-unavailable' }],
    ['CERT_HAS_EXPIRED', { tag: 'TLS-certificate-error' }],
    ['ERR_TLS_CERT_ALTNAME_INVALID', { tag: 'TLS-certificate-error' }],
    ['ERR_SSL_WRONG_VERSION_NUMBER', { tag: 'TLS-protocol-error' }],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', { tag: 'TLS-alert-received', val: { alertId: undefined, alertMessage: 'certificate required' } }],
    ['HPE_INVALID_TRANSFER_ENCODING', { tag: 'HTTP-response-transfer-coding', val: undefined }],
    ['HPE_HEADER_OVERFLOW', { tag: 'HTTP-response-header-section-size', val: undefined }],
    ['HPE_INVALID_CONSTANT', { tag: 'HTTP-protocol-error' }],
  ])('makes of %s %j', (code, expected) => {
    expect(errorCodeOf(coded(code))).toEqual(expected);
    expect(errorCodeOf(new Error('outer', { cause: coded(code) }))).toEqual(expected);
  });

  it('has the number of an alert where OpenSSL says it', () => {
    expect(errorCodeOf(coded('ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', 'error:0A000410:SSL routines::ssl/tls alert handshake failure:../ssl/record/rec_layer_s3.c:1605:SSL alert number 40'))).toEqual({
      tag: 'TLS-alert-received', val: { alertId: 40, alertMessage: 'handshake failure' },
    });
  });

  it('keeps a code that is one, and the words of what it does not know', () => {
    expect(errorCodeOf(new HttpError({ tag: 'loop-detected' } as never))).toEqual({ tag: 'loop-detected' });
    expect(errorCodeOf(new Error('odd'))).toEqual({ tag: 'internal-error', val: 'odd' });
  });
});

describe(errorText.name, () => {
  it.each([
    [{ tag: 'HTTP-request-URI-invalid' } as const, 'ErrorCode::HttpRequestUriInvalid'],
    [{ tag: 'destination-IP-prohibited' } as const, 'ErrorCode::DestinationIpProhibited'],
    [{ tag: 'internal-error', val: 'a "b"' } as const, 'ErrorCode::InternalError(Some("a \\"b\\""))'],
    [{ tag: 'HTTP-response-body-size', val: 7n } as const, 'ErrorCode::HttpResponseBodySize(Some(7))'],
    [{ tag: 'HTTP-response-body-size', val: undefined } as const, 'ErrorCode::HttpResponseBodySize(None)'],
    [{ tag: 'DNS-error', val: { rcode: 'x', infoCode: undefined } } as const, 'ErrorCode::DnsError(DnsErrorPayload { rcode: Some("x"), info-code: None })'],
  ])('writes %j as Spin does', (code, text) => {
    expect(errorText(code)).toBe(text);
  });
});
