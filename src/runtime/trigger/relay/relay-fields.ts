import { connectionOptions } from '../request-headers.js';
import { hasField } from '../response-headers.js';
import type { Fields } from './exchange.js';

/** Fields that belong to a connection (RFC 9110, section 7.6.1). */
const OF_THE_CONNECTION: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'te', 'http2-settings']);
/** Expect is asked anew of whoever comes next, where it is asked at all. */
const NOT_PASSED_ON: ReadonlySet<string> = new Set([...OF_THE_CONNECTION, 'expect', 'host']);

/** Fields between our own processes: nobody else's are passed on in a request. */
const OURS = 'whorl-';

/** What of a request's fields is passed on. `Host` is left out, and so are ours unless who sent it is one of us. */
export function passedOn(rawFields: Readonly<Fields>, oursToo = false): Fields {
  const named = connectionOptions(rawFields);
  const fields: Fields = [];
  for (let i = 0; i < rawFields.length; i += 2) {
    const name = rawFields[i]!.toLowerCase();
    if (NOT_PASSED_ON.has(name) || (!oursToo && name.startsWith(OURS)) || named?.has(name)) continue;
    fields.push(rawFields[i]!, rawFields[i + 1]!);
  }
  return fields;
}

/** What of an answer's fields is passed back. */
export function passedBack(rawFields: Readonly<Fields>): Fields {
  const named = hasField(rawFields, 'connection') ? connectionOptions(rawFields) : null;
  const fields: Fields = [];
  for (let i = 0; i < rawFields.length; i += 2) {
    const name = rawFields[i]!.toLowerCase();
    if (OF_THE_CONNECTION.has(name) || named?.has(name)) continue;
    fields.push(rawFields[i]!, rawFields[i + 1]!);
  }
  return fields;
}

/** As Node takes trailers. */
export function toPairs(flat: Readonly<Fields>): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i): [string, string] => [flat[2 * i]!, flat[2 * i + 1]!]);
}

/** As Node takes fields of interim answers. */
export function toLists(flat: Readonly<Fields>): Record<string, string[]> {
  const lists: Record<string, string[]> = {};
  for (let i = 0; i < flat.length; i += 2) (lists[flat[i]!.toLowerCase()] ??= []).push(flat[i + 1]!);
  return lists;
}
