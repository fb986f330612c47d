import { applyDecorators, createParamDecorator, type ExecutionContext, HttpCode, SetMetadata } from '@nestjs/common';
import { Public, Scopes } from './access.decorator.js';
import type { ApiRequest } from './api-request.js';
import type { EndpointSpec } from './endpoint.js';
import { readInput } from './input.js';

export const ENDPOINT = Symbol('endpoint');

/** By operation id. */
const specs = new Map<string, EndpointSpec>();

/** Binds a handler to its declaration. */
export function Endpoint(spec: EndpointSpec): MethodDecorator {
  const remember: MethodDecorator = (target, method) => void specs.set(operationId(target.constructor.name, String(method)), spec);
  return applyDecorators(
    remember,
    SetMetadata(ENDPOINT, spec),
    HttpCode(Number(Object.keys(spec.responses)[0])),
    ...(spec.public ? [Public()] : []),
    ...(spec.scopes ? [Scopes(...spec.scopes)] : []),
  );
}

/** Names a handler in the API's description. */
export const operationId = (controller: string, method: string): string => `${controller}_${method}`;

/** The declaration of the handler with this operation id. */
export const findEndpoint = (id: string): EndpointSpec | undefined => specs.get(id);

/** The request's parts, checked by the endpoint's schemas. Throws API_INPUT_INVALID with the errors by field. */
export const Input = createParamDecorator((_data: unknown, context: ExecutionContext) => {
  const spec = Reflect.getMetadata(ENDPOINT, context.getHandler()) as EndpointSpec;
  return readInput(spec, context.switchToHttp().getRequest<ApiRequest>());
});
