import type { ErrorCode, WhorlError } from '#contract/errors.js';

/** The codes of the specification (distribution-spec, error codes); `UNAVAILABLE` and `UNKNOWN` are answered with 5xx alone, where it names none. */
type OciCode =
  | 'BLOB_UNKNOWN' | 'BLOB_UPLOAD_INVALID' | 'BLOB_UPLOAD_UNKNOWN' | 'DIGEST_INVALID' | 'MANIFEST_BLOB_UNKNOWN' | 'MANIFEST_INVALID' | 'MANIFEST_UNKNOWN' | 'NAME_INVALID'
  | 'NAME_UNKNOWN' | 'SIZE_INVALID' | 'UNAUTHORIZED' | 'DENIED' | 'UNSUPPORTED' | 'TOOMANYREQUESTS' | 'UNAVAILABLE' | 'UNKNOWN';

const CODES: Partial<Record<ErrorCode, OciCode>> = {
  REGISTRY_NAME_INVALID: 'NAME_INVALID',
  REGISTRY_NAME_UNKNOWN: 'NAME_UNKNOWN',
  REGISTRY_MANIFEST_UNKNOWN: 'MANIFEST_UNKNOWN',
  REGISTRY_MANIFEST_INVALID: 'MANIFEST_INVALID',
  REGISTRY_MANIFEST_TOO_LARGE: 'SIZE_INVALID',
  REGISTRY_MANIFEST_BLOB_UNKNOWN: 'MANIFEST_BLOB_UNKNOWN',
  REGISTRY_TAG_INVALID: 'MANIFEST_INVALID',
  REGISTRY_DIGEST_INVALID: 'DIGEST_INVALID',
  REGISTRY_CONTENT_IN_USE: 'DENIED',
  REGISTRY_UPLOAD_UNKNOWN: 'BLOB_UPLOAD_UNKNOWN',
  REGISTRY_UPLOAD_CONFLICT: 'BLOB_UPLOAD_INVALID',
  REGISTRY_UPLOAD_INVALID: 'BLOB_UPLOAD_INVALID',
  REGISTRY_UPLOAD_LENGTH: 'SIZE_INVALID',
  REGISTRY_RANGE_INVALID: 'SIZE_INVALID',
  REGISTRY_BLOB_UNKNOWN: 'BLOB_UNKNOWN',
};

const BY_STATUS: Record<number, OciCode> = { 401: 'UNAUTHORIZED', 403: 'DENIED', 413: 'SIZE_INVALID', 429: 'TOOMANYREQUESTS', 500: 'UNKNOWN', 502: 'UNAVAILABLE', 503: 'UNAVAILABLE', 507: 'DENIED' };

/** The body of the specification for an error; ours is its detail. */
export function toOciErrors(error: WhorlError): { errors: { code: OciCode; message: string; detail: { code: ErrorCode; hint: string } }[] } {
  const code = CODES[error.code] ?? BY_STATUS[error.entry.status] ?? 'UNSUPPORTED';
  return { errors: [{ code, message: error.message, detail: { code: error.code, hint: error.entry.hint } }] };
}
