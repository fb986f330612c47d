import type { Headers } from '../guest.js';

/** Fields that say how a message is framed, routed or to be read: they mean nothing, or harm, when they come last (RFC 9110, section 6.5.1). */
const NEVER: ReadonlySet<string> = new Set([
  'authorization', 'cache-control', 'content-encoding', 'content-length', 'content-range', 'content-type', 'host', 'max-forwards', 'set-cookie', 'te', 'trailer',
  'transfer-encoding',
]);

/** Trailer fields that may be sent. */
export function toTrailers(fields: Headers): Headers {
  return fields.some(([name]) => NEVER.has(name.toLowerCase())) ? fields.filter(([name]) => !NEVER.has(name.toLowerCase())) : fields;
}
