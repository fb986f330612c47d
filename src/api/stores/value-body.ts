import { WhorlError } from '#contract/errors.js';
import { MAX_BROWSED_BYTES } from '#contract/store-request.js';
import type { ApiRequest } from '#platform/http/api-request.js';
import { readBody } from '#platform/http/read-body.js';
import { VALUE_TYPES, ValueBody } from './browse.schema.js';

/** The value in a request's body: its bytes, or base64 in JSON. Throws API_MEDIA_TYPE_UNSUPPORTED, API_BODY_TOO_LARGE, API_INPUT_INVALID. */
export async function readValueBody(request: ApiRequest): Promise<Buffer> {
  if (!request.is('json')) {
    if (!request.is('application/octet-stream')) {
      throw new WhorlError('API_MEDIA_TYPE_UNSUPPORTED', `this takes ${VALUE_TYPES.join(' or ')}, not ${request.get('content-type') ?? 'a body without Content-Type'}: curl -H 'content-type: ${VALUE_TYPES[0]}' --data-binary @FILE`);
    }
    return readBody(request, MAX_BROWSED_BYTES);
  }
  const parsed = ValueBody.safeParse(request.body);
  if (!parsed.success) throw new WhorlError('API_INPUT_INVALID', 'value: expected {"value": "<base64>"}', { fields: { value: ['expected {"value": "<base64>"}'] } });
  const value = Buffer.from(parsed.data.value, 'base64');
  if (value.length > MAX_BROWSED_BYTES) throw new WhorlError('API_BODY_TOO_LARGE', `a value has at most ${MAX_BROWSED_BYTES} bytes here`);
  return value;
}
