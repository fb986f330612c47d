import type { LockedApp } from '#contract/bundle/locked-app.js';
import { type ErrorCode, ERRORS } from '#contract/errors.js';
import type { ClientCall } from './client-call.js';
import type { RelayedResponse } from './relay/relayed-response.js';
import { writeHead } from './response-sink.js';

/** Answers that come from the platform, not from an app. */

export const WELL_KNOWN = '/.well-known/spin/';

/** Spin's own endpoints, for any method (Spin's HTTP trigger); the rest below the prefix is reserved. */
export function answerWellKnown(call: ClientCall, path: string, app: LockedApp, digest: string): void {
  const name = path.slice(WELL_KNOWN.length);
  if (name === 'health') return answer(call, 200, 'OK', 'text/plain; charset=utf-8');
  if (name !== 'info') return answerNotFound(call);
  const info = { name: app.name, ...(app.version && { version: app.version }), oci_image_digest: digest };
  answer(call, 200, `${JSON.stringify(info, null, 2)}\n`, 'application/json');
}

export function answerNotFound(call: ClientCall): void {
  answer(call, 404, '');
}

export function answerBadHost(call: ClientCall): void {
  answer(call, ERRORS.NODE_HOST_INVALID.status, `${ERRORS.NODE_HOST_INVALID.hint} [NODE_HOST_INVALID]\n`, 'text/plain; charset=utf-8');
}

/** Says how hosts map to apps: whoever meets this has a typing error in the host, or a deploy still to make. */
export function answerUnknownHost(call: ClientCall, host: string, options: { appDomain: string; publicPort: number }): void {
  const port = options.publicPort === 80 || options.publicPort === 443 ? '' : `:${options.publicPort}`;
  answer(call, ERRORS.NODE_HOST_UNKNOWN.status, [
    `No app has the host "${host}".`,
    `An app answers at http://<app>.${options.appDomain}${port}/, as soon as a version of it is live; GET /v1/apps lists the apps. [NODE_HOST_UNKNOWN]`,
    '',
  ].join('\n'), 'text/plain; charset=utf-8');
}

/** To the gateway of another node (RFC 9110, section 15.5.20), which asks elsewhere; nothing of the request was processed. */
export function answerMisdirected(call: ClientCall): void {
  (call.response as RelayedResponse).isMisdirected = true;
  answer(call, 421, '');
}

export function answerNotReady(call: ClientCall): void {
  answer(call, ERRORS.NODE_APP_NOT_READY.status, 'The app is not ready on this node yet. [NODE_APP_NOT_READY]\n', 'text/plain; charset=utf-8', ['retry-after', '1']);
}

/** The app is on this node and did not get ready for the request; the app's log has the reason. */
export function answerUnloaded(call: ClientCall, code: ErrorCode): void {
  const { status } = ERRORS[code];
  answer(call, status, `The app cannot answer. [${code}]\n`, 'text/plain; charset=utf-8', status === 503 ? ['retry-after', '1'] : []);
}

// oxlint-disable-next-line max-params -- the parts of one short answer
function answer(call: ClientCall, status: number, body: string, contentType?: string, more: readonly string[] = []): void {
  const { response, front, expectsContinue } = call;
  const headers = [...(contentType ? ['content-type', contentType] : []), 'content-length', String(Buffer.byteLength(body)), ...more];
  writeHead(response, status, headers, front.draining || expectsContinue);
  response.end(body);
}
