import { createHash } from 'node:crypto';
import type { ShadowExample } from '#contract/shadow.js';
import type { Headers } from '#runtime/capability/guest.js';
import { toClientHeaders } from './response-headers.js';

/** A whole answer, as a client gets it. */
export interface WholeAnswer {
  status: number;
  headers: Headers;
  body: readonly Uint8Array[];
  bodyBytes: number;
}

export type Difference = Pick<ShadowExample, 'status' | 'fields' | 'bodyBytes'>;

/** Never the same twice, or said by the body. */
const NEVER_COMPARED: ReadonlySet<string> = new Set(['date', 'content-length']);
const MAX_FIELDS = 16;

/**
 * What differs between two answers; null: nothing. Statuses, header fields by name and value, whatever their order and letters, and the bytes of
 * the bodies. Of `set-cookie` the names of the cookies count: values are made anew as a rule. Pure.
 */
export function differenceOf(old: WholeAnswer, own: WholeAnswer, ignoredFields: ReadonlySet<string>): Difference | null {
  const [before, after] = [valuesByName(old.headers, ignoredFields), valuesByName(own.headers, ignoredFields)];
  const fields = [...new Set([...before.keys(), ...after.keys()])].filter((name) => before.get(name)?.join('\0') !== after.get(name)?.join('\0')).sort();
  const sameBody = old.bodyBytes === own.bodyBytes && digestOf(old.body) === digestOf(own.body);
  if (old.status === own.status && fields.length === 0 && sameBody) return null;
  return {
    ...(old.status !== own.status && { status: [old.status, own.status] as [number, number] }),
    fields: fields.slice(0, MAX_FIELDS).map((name) => name.slice(0, 64)),
    ...(!sameBody && { bodyBytes: [old.bodyBytes, own.bodyBytes] as [number, number] }),
  };
}

function valuesByName(headers: Headers, ignored: ReadonlySet<string>): Map<string, string[]> {
  const values = new Map<string, string[]>();
  const flat = toClientHeaders(headers);
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!.toLowerCase();
    if (NEVER_COMPARED.has(name) || ignored.has(name)) continue;
    const value = name === 'set-cookie' ? flat[i + 1]!.split('=', 1)[0]! : flat[i + 1]!;
    values.set(name, [...(values.get(name) ?? []), value]);
  }
  for (const each of values.values()) each.sort();
  return values;
}

function digestOf(chunks: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('base64');
}
