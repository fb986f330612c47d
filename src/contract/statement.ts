import { createHash } from 'node:crypto';
import { z } from 'zod';
import { KeyHash } from './node-identity.js';

/**
 * What the control plane says and nodes keep: signed, so that a node serves what a control plane said and nothing else, also from its disk.
 * A signature is over the value itself, in a form that does not depend on how it was written, and over what kind of thing it is; it names
 * no node, so that nodes share it.
 *
 *     Ed25519( "whorl-statement-v1" LF kind LF sha256-hex( canonical JSON ) )
 */
export type StatementKind = 'assignment' | 'route-table';

export const Signature = z.string().regex(/^[A-Za-z0-9_-]{86}$/).brand<'Signature'>();
export type Signature = z.infer<typeof Signature>;

/** A signature, and which key it is by. */
export const SignedBy = z.object({ key: KeyHash, signature: Signature });
export type SignedBy = z.infer<typeof SignedBy>;

/**
 * JSON whose text is the same for the same value (RFC 8785): members by the UTF-16 units of their names, no white space, numbers and texts
 * as ECMAScript writes them. Members that are `undefined` are left out, as JSON.stringify does.
 */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  // A node does this for everything that it holds when it starts: loops, not pipelines.
  let text = '';
  if (Array.isArray(value)) {
    for (const item of value) text += `${text === '' ? '' : ','}${canonicalJson(item)}`;
    return `[${text}]`;
  }
  const members = value as Record<string, unknown>;
  for (const name of Object.keys(members).sort()) {
    if (members[name] !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${canonicalJson(members[name])}`;
  }
  return `{${text}}`;
}

/** What is signed, as bytes. @param canonical the value as `canonicalJson` writes it */
export function statementBytes(kind: StatementKind, canonical: string): Buffer {
  return Buffer.from(`whorl-statement-v1\n${kind}\n${createHash('sha256').update(canonical).digest('hex')}`);
}
