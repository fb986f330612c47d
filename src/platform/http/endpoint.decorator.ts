import { applyDecorators, createParamDecorator, type ExecutionContext, HttpCode, SetMetadata } from '@nestjs/common';
import { ApiExtension } from '@nestjs/swagger';
import { Public, Scopes } from './access.decorator.js';
import type { ApiRequest } from './api-request.js';
import type { EndpointSpec } from './endpoint.js';
import { readInput } from './input.js';

export const ENDPOINT = Symbol('endpoint');
/** Where the swagger explorer carries the spec through to openapi.ts. */
export const ENDPOINT_EXTENSION = 'x-endpoint';

const specs = new Map<string, EndpointSpec>();

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
