import { applyDecorators, createParamDecorator, type ExecutionContext, HttpCode, SetMetadata } from '@nestjs/common';
import { ApiExtension } from '@nestjs/swagger';
import type { z } from 'zod';
import type { ErrorCode } from '#contract/errors.js';
import { Public, Scopes } from './access.decorator.js';
import type { ApiRequest, Scope } from './api-request.js';
import { readInput } from './input.js';

/** One answer: its JSON, or what a stream of that content type carries; null: no body. */
export interface ResponseSpec {
  description: string;
  body: z.ZodType | null;
  /** Instead of application/json. */
  contentType?: string;
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
  /** JSON body. */
  body?: z.ZodType;
  /** Content types of a body that the handler streams. */
  streamedBody?: { contentTypes: readonly string[]; description: string };
  /** By status; the first is the one that a handler answers unless it says otherwise. */
  responses: Record<number, ResponseSpec>;
  errors?: readonly ErrorCode[];
  /** No token is needed. */
  public?: boolean;
  /** The token must have one of these; without it `admin`. */
  scopes?: readonly Scope[];
  /** Takes an Idempotency-Key. */
  idempotent?: boolean;
  /** Takes If-Match. */
  conditional?: boolean;
}

type Output<T> = T extends z.ZodType ? z.output<T> : undefined;

/** What `@Input()` gives the handler of an endpoint. */
export interface InputOf<S extends EndpointSpec> {
  params: Output<S['params']>;
  query: Output<S['query']>;
  body: Output<S['body']>;
  /** The entity tags of If-Match; undefined when the header is absent or `*`. */
  ifMatch: string[] | undefined;
}

export const ENDPOINT = Symbol('endpoint');
/** Where the swagger explorer carries the spec through to openapi.ts. */
export const ENDPOINT_EXTENSION = 'x-endpoint';

const specs = new Map<string, EndpointSpec>();

/** Declares an endpoint. */
export const endpoint = <S extends EndpointSpec>(spec: S): S => spec;

/** Binds a handler to its declaration. */
export function Endpoint(spec: EndpointSpec): MethodDecorator {
  const key = String(specs.size);
  specs.set(key, spec);
  return applyDecorators(
    SetMetadata(ENDPOINT, spec),
    HttpCode(Number(Object.keys(spec.responses)[0])),
    ApiExtension(ENDPOINT_EXTENSION, key),
    ...(spec.public ? [Public()] : []),
    ...(spec.scopes ? [Scopes(...spec.scopes)] : []),
  );
}

/** The spec behind the value of an operation's ENDPOINT_EXTENSION. */
export const findEndpoint = (key: string): EndpointSpec | undefined => specs.get(key);

/** The request's parts, checked by the endpoint's schemas. Throws API_INPUT_INVALID with the errors by field. */
export const Input = createParamDecorator((_data: unknown, context: ExecutionContext) => {
  const spec = Reflect.getMetadata(ENDPOINT, context.getHandler()) as EndpointSpec;
  return readInput(spec, context.switchToHttp().getRequest<ApiRequest>());
});
