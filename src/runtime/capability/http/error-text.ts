import type { ErrorCode } from './error-code.js';

/**
 * An `error-code` as text for guests of the first candidate, whose errors are texts: as Spin writes it, which is Rust's debug form
 * (`ErrorCode::HttpRequestDenied`, `ErrorCode::InternalError(Some("why"))`).
 */
export function errorText(code: ErrorCode): string {
  const name = `ErrorCode::${camel(code.tag)}`;
  return 'val' in code || PAYLOADS.has(code.tag) ? `${name}(${payloadText(code.tag, (code as { val?: unknown }).val)})` : name;
}

/** Cases with a payload that is a record, not an option. */
const RECORDS: ReadonlyMap<string, string> = new Map([['DNS-error', 'DnsErrorPayload'], ['TLS-alert-received', 'TlsAlertReceivedPayload']]);
/** Cases whose payload is an option, so that it may be absent from the object. */
const PAYLOADS: ReadonlySet<string> = new Set([
  'HTTP-request-body-size', 'HTTP-response-header-section-size', 'HTTP-response-body-size', 'HTTP-response-transfer-coding', 'internal-error', ...RECORDS.keys(),
]);

function payloadText(tag: string, value: unknown): string {
  const record = RECORDS.get(tag);
  if (record === undefined) return optionText(value);
  const fields = Object.entries(value as object).map(([key, field]) => `${key.replace(/[A-Z]/g, (upper) => `-${upper.toLowerCase()}`)}: ${optionText(field)}`);
  return `${record} { ${fields.join(', ')} }`;
}

function optionText(value: unknown): string {
  if (value === undefined) return 'None';
  return `Some(${typeof value === 'string' ? JSON.stringify(value) : String(value)})`;
}

function camel(tag: string): string {
  return tag.split('-').map((word) => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase()).join('');
}
