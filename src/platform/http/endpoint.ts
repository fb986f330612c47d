import type { z } from 'zod';
import type { ErrorCode } from '#contract/errors.js';
import type { Scope } from './api-request.js';

/** One answer: its JSON, or what a stream of that content type carries; null: no body. */
export interface ResponseSpec {
  description: string;
  body: z.ZodType | null;
  /** Instead of application/json. */
  contentType?: string;
  /** The same as JSON, for whoever accepts that alone. */
  json?: z.ZodType;
  /** The data of each event, when the same status can also be answered as text/event-stream. */
  events?: z.ZodType;
}

/** All that is known of an endpoint: its input is checked by it, and /openapi.json is made of it. */
export interface EndpointSpec {
  summary: string;
  description?: string;
  tag: string;
  params?: z.ZodObject;
  query?: z.ZodObject;
  /** JSON body; beside a streamed one: what may come instead of it. */
  body?: z.ZodType;
  /** Content types of a body that the handler streams. */
  streamedBody?: { contentTypes: readonly string[]; description: string };
  /** By status; the lowest is the one that a handler answers unless it says otherwise. */
  responses: Record<number, ResponseSpec>;
  errors?: readonly ErrorCode[];
  /** No token is needed. */
  public?: boolean;
  /** The token must have one of these; without it `admin`. */
  scopes?: readonly Scope[];
  /** Takes an Idempotency-Key. */
  idempotent?: boolean;
  /** Takes `Prefer: respond-async`: what takes long is answered by an operation. */
  respondsAsync?: boolean;
  /** Takes If-Match. */
  conditional?: boolean;
}

type Output<T> = T extends z.ZodType ? z.output<T> : undefined;

/** What `@Input()` gives the handler of an endpoint. */
export interface InputOf<S extends EndpointSpec> {
  params: Output<S['params']>;
  query: Output<S['query']>;
  /** undefined where a streamed body came instead. */
  body: S extends { streamedBody: object } ? Output<S['body']> | undefined : Output<S['body']>;
  /** The entity tags of If-Match; undefined when the header is absent or `*`. */
  ifMatch: string[] | undefined;
}

/** Declares an endpoint. */
export const endpoint = <S extends EndpointSpec>(spec: S): S => spec;
