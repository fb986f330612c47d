import { WhorlError } from '#contract/errors.js';
import type { RuntimeConfig } from '#contract/runtime-config.js';
import type { ApiRequest } from '#platform/http/api-request.js';
import { readBody } from '#platform/http/read-body.js';
import { readRuntimeConfig, toRuntimeConfig } from './read-config.js';
import { CONFIG_TYPES } from './runtime-config.schema.js';

/** Certificates are the largest part of it. */
const MAX_BYTES = 1024 * 1024;

/** The configuration in a request's body. Throws API_RUNTIME_CONFIG_INVALID, API_MEDIA_TYPE_UNSUPPORTED, API_BODY_TOO_LARGE. */
export async function readConfigBody(request: ApiRequest): Promise<RuntimeConfig> {
  if (request.is('json')) return toRuntimeConfig(request.body);
  if (!request.is('application/toml')) {
    throw new WhorlError('API_MEDIA_TYPE_UNSUPPORTED', `this takes ${CONFIG_TYPES.join(' or ')}, not ${request.get('content-type') ?? 'a body without Content-Type'}: curl -H 'content-type: application/toml' --data-binary @FILE`);
  }
  return readRuntimeConfig((await readBody(request, MAX_BYTES)).toString('utf8'), 'toml');
}
