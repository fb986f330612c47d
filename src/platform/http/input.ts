import type { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import type { ApiRequest } from './api-request.js';
import type { EndpointSpec, InputOf } from './endpoint.js';

/**
 * Reads and checks path parameters, query, JSON body and If-Match.
 * Throws API_INPUT_INVALID with every bad field, API_MEDIA_TYPE_UNSUPPORTED for a body of another type.
 */
export function readInput<S extends EndpointSpec>(spec: S, request: ApiRequest): InputOf<S> {
  const isStreamed = spec.streamedBody !== undefined && !request.is('json');
  if (spec.body && !isStreamed && hasBody(request) && !request.is('json')) {
    throw new WhorlError('API_MEDIA_TYPE_UNSUPPORTED', `this takes application/json, not ${request.get('content-type') ?? 'a body without Content-Type'}`);
  }
  const errors: Record<string, string[]> = {};
  const read = (schema: z.ZodType | undefined, value: unknown, whole: string): unknown => {
    if (!schema) return undefined;
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    for (const issue of parsed.error.issues) {
      for (const field of fieldsOf(issue, whole)) (errors[field] ??= []).push(issue.message);
    }
    return undefined;
  };
  const input = {
    params: read(spec.params, request.params, 'path'),
    query: read(spec.query, request.query, 'query'),
    body: isStreamed ? undefined : read(spec.body, request.body ?? {}, 'body'),
    ifMatch: spec.conditional ? readIfMatch(request) : undefined,
  };
  const bad = Object.entries(errors);
  if (bad.length > 0) {
    const summary = bad.map(([field, messages]) => `${field}: ${messages.join('; ')}`).join(', ');
    throw new WhorlError('API_INPUT_INVALID', summary, { fields: errors });
  }
  return input as InputOf<S>;
}

/** An unknown key is the fault of that key, not of the object around it. */
function fieldsOf(issue: z.core.$ZodIssue, whole: string): string[] {
  const path = issue.path.map(String);
  const name = (parts: string[]): string => (parts.length > 0 ? parts.join('.') : whole);
  return issue.code === 'unrecognized_keys' ? issue.keys.map((key) => name([...path, key])) : [name(path)];
}

/** RFC 9112 §6: a request has a body when it says how the body is framed. */
function hasBody(request: ApiRequest): boolean {
  return request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
}

/** RFC 9110 §13.1.1. */
function readIfMatch(request: ApiRequest): string[] | undefined {
  const header = request.get('if-match')?.trim();
  if (header === undefined || header === '*') return undefined;
  return header.split(',').map((tag) => tag.trim());
}
