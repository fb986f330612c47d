import { type ErrorCode, ERRORS } from '#contract/errors.js';
import type { ClientCall } from '#runtime/trigger/client-call.js';
import { writeHead } from '#runtime/trigger/response-sink.js';

/** Why a gateway has no answer of an app (RFC 9209, section 2.3). */
const PROXY_ERRORS = {
  GATEWAY_APP_NOWHERE: 'destination_not_found',
  GATEWAY_NODE_UNREACHABLE: 'destination_unavailable',
  GATEWAY_ANSWER_LOST: 'connection_terminated',
  GATEWAY_LATE: 'http_response_timeout',
  GATEWAY_BUSY: 'connection_limit_reached',
} as const satisfies Partial<Record<ErrorCode, string>>;
export type GatewayError = keyof typeof PROXY_ERRORS;

/** Answers for the gateway, where no node does. */
export function answerGatewayError({ response, expectsContinue, front }: ClientCall, code: GatewayError): void {
  const { status, title } = ERRORS[code];
  const body = `${title}. [${code}]\n`;
  const fields = ['content-type', 'text/plain; charset=utf-8', 'content-length', String(Buffer.byteLength(body)), 'proxy-status', `whorl; error=${PROXY_ERRORS[code]}`];
  if (status === 503) fields.push('retry-after', '1');
  writeHead(response, status, fields, front.draining || expectsContinue);
  response.end(body);
}
