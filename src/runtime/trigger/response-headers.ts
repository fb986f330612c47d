import type { Headers } from '#runtime/capability/guest.js';
import { FieldNames } from '#runtime/capability/http/field-names.js';

/** Fields that belong to a connection (RFC 9110, section 7.6.1): the front has its own, and shows none in usual answers. */
const OF_THE_CONNECTION = new FieldNames([
  'connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'te', 'http2-settings',
]);

/** What a client gets of a guest's answer, as `writeHead` takes it: name, value, name, value. Pure. */
export function toClientHeaders(headers: Headers): string[] {
  const named = connectionNamed(headers);
  const flat: string[] = [];
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (OF_THE_CONNECTION.has(lower) || named?.has(lower)) continue;
    flat.push(name, value);
  }
  return flat;
}

function connectionNamed(headers: Headers): ReadonlySet<string> | null {
  let named: Set<string> | null = null;
  for (const [name, value] of headers) {
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue;
    for (const option of value.split(',')) (named ??= new Set()).add(option.trim().toLowerCase());
  }
  named?.delete('content-length');
  return named;
}

/** Whether a flat list has the field. */
export function hasField(flat: readonly string[], lowerName: string): boolean {
  for (let i = 0; i < flat.length; i += 2) if (flat[i]!.length === lowerName.length && flat[i]!.toLowerCase() === lowerName) return true;
  return false;
}

/** Statuses whose answers never have a body (RFC 9110, sections 15.2, 15.3.5, 15.4.5). */
export function hasNoContent(status: number): boolean {
  return status < 200 || status === 204 || status === 304;
}
