import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { z } from 'zod';
import { ERRORS, type ErrorCode, Problem } from '#contract/errors.js';
import { findEndpoint, operationId } from './endpoint.decorator.js';
import type { EndpointSpec, ResponseSpec } from './endpoint.js';

type Json = Record<string, unknown>;

const PROBLEM = { $ref: '#/components/schemas/Problem' };
/** Of routes that need a token, which is looked up in the database. */
const PROTECTED_ERRORS: ErrorCode[] = ['API_TOKEN_MISSING', 'API_TOKEN_INVALID', 'API_SCOPE_MISSING', 'API_DATABASE_UNAVAILABLE'];

/** OpenAPI 3.1's dialect is JSON Schema 2020-12, which is what zod writes. */
export function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io }) as Json;
  return rest;
}

/**
 * Describes the API as OpenAPI 3.1. Nest's explorer finds routes and guards' metadata; input, answers and errors come from what each
 * handler declared with `@Endpoint`.
 */
export function describeApi(app: INestApplication, version: string): OpenAPIObject {
  const base = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Whorl')
    .setDescription('Push a Spin app, get a URL, roll out, roll back, meter. Errors are RFC 9457 problems with a stable `code`.')
    .setVersion(version)
    .addBearerAuth({ type: 'http', scheme: 'bearer' }, 'token')
    .build();
  const document = SwaggerModule.createDocument(app, base, { operationIdFactory: operationId });
  for (const [path, operations] of Object.entries(document.paths)) {
    // Described by the OCI distribution specification; paths with several parts in one parameter cannot be said here.
    if (path === '/v2' || path.startsWith('/v2/')) delete document.paths[path];
    for (const [method, operation] of Object.entries(operations as Record<string, Json>)) {
      const id = String(operation['operationId']);
      const spec = findEndpoint(id);
      if (spec) (operations as Record<string, Json>)[method] = describeOperation(id, spec);
    }
  }
  document.components = { ...document.components, schemas: { ...document.components?.schemas, Problem: jsonSchema(Problem, 'output') } };
  return liftDefinitions(document);
}

/** Schemas that refer to themselves come with definitions of their own (`$defs`), by their ids: in a document they are its components. */
function liftDefinitions(document: OpenAPIObject): OpenAPIObject {
  const lifted: Json = {};
  const text = JSON.stringify(document, (key, value: Json) => {
    if (key !== '$defs') return value;
    Object.assign(lifted, value);
    return undefined;
  });
  const refer = (json: string): string => json.replaceAll('"#/$defs/', '"#/components/schemas/');
  const whole = JSON.parse(refer(text)) as OpenAPIObject;
  Object.assign(whole.components!.schemas!, JSON.parse(refer(JSON.stringify(lifted))));
  return whole;
}

function describeOperation(id: string, spec: EndpointSpec): Json {
  const errors: ErrorCode[] = [...(spec.errors ?? []), ...(spec.public ? [] : PROTECTED_ERRORS), 'INTERNAL'];
  if (spec.params || spec.query || spec.body) errors.push('API_INPUT_INVALID');
  if (spec.body) errors.push('API_BODY_MALFORMED', 'API_BODY_TOO_LARGE', 'API_MEDIA_TYPE_UNSUPPORTED');
  if (spec.idempotent) errors.push('API_IDEMPOTENCY_KEY_REUSED', 'API_IDEMPOTENCY_KEY_IN_USE', 'API_INPUT_INVALID');
  if (spec.conditional) errors.push('API_STATE_CHANGED');
  const body = requestBody(spec);
  return {
    operationId: id,
    tags: [spec.tag],
    summary: spec.summary,
    ...(spec.description && { description: spec.description }),
    parameters: parameters(spec),
    ...(body && { requestBody: body }),
    responses: { ...problems(errors), ...Object.fromEntries(Object.entries(spec.responses).map(([status, response]) => [status, answer(response)])) },
    ...(!spec.public && { security: [{ token: [] }] }),
  };
}

function parameters(spec: EndpointSpec): Json[] {
  const of = (schema: z.ZodObject | undefined, location: 'path' | 'query'): Json[] => {
    if (!schema) return [];
    const { properties, required } = jsonSchema(schema, 'input') as { properties: Record<string, Json>; required?: string[] };
    return Object.entries(properties).map(([name, { description, ...property }]) => ({
      name,
      in: location,
      required: location === 'path' || (required?.includes(name) ?? false),
      ...(description !== undefined && { description }),
      schema: property,
    }));
  };
  const header = (name: string, description: string): Json => ({ name, in: 'header', required: false, description, schema: { type: 'string' } });
  return [
    ...of(spec.params, 'path'),
    ...of(spec.query, 'query'),
    ...(spec.idempotent ? [header('Idempotency-Key', 'Repeating a request with the same key gives the first successful answer again.')] : []),
    ...(spec.respondsAsync ? [header('Prefer', 'respond-async: answers at once with 202, and an operation to look at (RFC 7240).')] : []),
    ...(spec.conditional ? [header('If-Match', 'The ETag of the app: refused with 412 when the app has changed since.')] : []),
    ...(Object.values(spec.responses).some((response) => response.events) ? [header('Last-Event-ID', 'Goes on after this event.')] : []),
  ];
}

function requestBody(spec: EndpointSpec): Json | undefined {
  const json = spec.body && { 'application/json': { schema: jsonSchema(spec.body, 'input') } };
  if (spec.streamedBody) {
    const streamed = Object.fromEntries(spec.streamedBody.contentTypes.map((type) => [type, { schema: { type: 'string', format: 'binary' } }]));
    return { required: true, description: spec.streamedBody.description, content: { ...streamed, ...json } };
  }
  return spec.body && { required: !spec.body.safeParse({}).success, content: json };
}

function answer({ description, body, contentType, json, events }: ResponseSpec): Json {
  if (body === null) return { description };
  return {
    description,
    content: {
      [contentType ?? 'application/json']: { schema: jsonSchema(body, 'output') },
      ...(json && { 'application/json': { schema: jsonSchema(json, 'output') } }),
      ...(events && { 'text/event-stream': { schema: jsonSchema(events, 'output') } }),
    },
  };
}

function problems(codes: ErrorCode[]): Json {
  const byStatus = Map.groupBy(new Set(codes), (code) => ERRORS[code].status);
  return Object.fromEntries([...byStatus].map(([status, members]) => [
    status,
    { description: members.map((code) => `${code}: ${ERRORS[code].title}`).join('; '), content: { 'application/problem+json': { schema: PROBLEM } } },
  ]));
}
