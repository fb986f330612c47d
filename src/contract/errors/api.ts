import type { ErrorEntry } from './entry.js';

/** Errors of the control plane's API. */
export const API_ERRORS = {
  INTERNAL: { status: 500, title: 'Internal error', fault: 'system', hint: 'Retry; if it stays, look for the request id in the log of the control plane.' },

  API_INPUT_INVALID: { status: 400, title: 'The request has invalid fields', fault: 'user', hint: 'Correct the fields listed in `errors`; /docs shows what each takes.' },
  API_BODY_MALFORMED: { status: 400, title: 'The request body cannot be read', fault: 'user', hint: 'Send well-formed JSON in UTF-8.' },
  API_BODY_TOO_LARGE: { status: 413, title: 'The request body is too large', fault: 'user', hint: 'Send less in one request.' },
  API_MEDIA_TYPE_UNSUPPORTED: { status: 415, title: 'The content type is not taken here', fault: 'user', hint: 'Set the Content-Type header to one that the message names.' },
  API_REQUEST_ABORTED: { status: 400, title: 'The request ended before its body was complete', fault: 'user', hint: 'Send the whole body; nothing was kept.' },
  API_ROUTE_NOT_FOUND: { status: 404, title: 'No such route', fault: 'user', hint: 'See /docs for the routes of this API.' },
  API_OVERLOADED: { status: 503, title: 'The control plane cannot answer now', fault: 'system', hint: 'Retry in a moment.' },

  API_TOKEN_MISSING: { status: 401, title: 'A token is needed', fault: 'user', hint: 'Send the header `Authorization: Bearer <token>`; `whorl up` writes the first one to admin-token in its data directory.' },
  API_TOKEN_INVALID: { status: 401, title: 'The token is not valid', fault: 'user', hint: 'Check that the whole token was copied and has not been replaced or expired.' },
  API_SCOPE_MISSING: { status: 403, title: 'The token does not allow this', fault: 'user', hint: 'Use a token with the scope that the message names.' },

  API_APP_NOT_FOUND: { status: 404, title: 'No such app', fault: 'user', hint: 'GET /v1/apps lists the apps; pushing a version creates one.' },
  API_VERSION_NOT_FOUND: { status: 404, title: 'No such version', fault: 'user', hint: 'GET /v1/apps/{app}/versions lists the versions.' },
  API_NOTHING_TO_ROLL_BACK_TO: { status: 409, title: 'No version was served before', fault: 'user', hint: 'Name a version with {"to": n}; GET /v1/apps/{app}/versions lists them.' },
  API_VARIABLE_REQUIRED: { status: 422, title: 'A required variable has no value', fault: 'user', hint: 'PUT /v1/apps/{app}/variables with a value for each variable listed in `errors`, then try again.' },
  API_STATE_CHANGED: { status: 412, title: 'It has changed since', fault: 'user', hint: 'GET it for its present state and ETag (that of an app for all that belongs to the app), then decide again.' },
  API_CHANNEL_NOT_FOUND: { status: 404, title: 'No such channel', fault: 'user', hint: 'Use the channel `production`, or leave the channel out.' },
  API_RUNTIME_CONFIG_INVALID: { status: 422, title: 'The runtime configuration is not valid', fault: 'user', hint: 'Correct the keys listed in `errors`; docs/guides/runtime-config.md has all of them.' },
  API_STORE_NOT_FOUND: { status: 404, title: 'No such store', fault: 'user', hint: 'GET /v1/stores lists the stores; POST /v1/stores makes one.' },
  API_STORE_EXISTS: { status: 409, title: 'The name of the store is taken', fault: 'user', hint: 'Choose another name, or delete the store that has it.' },
  API_STORE_IN_USE: { status: 409, title: 'The store is in use', fault: 'user', hint: 'Remove its links first (DELETE /v1/stores/{store}/links); that of the label `default` ends when the app is deleted or the label is linked to another store.' },
  API_STORE_LINK_NOT_FOUND: { status: 404, title: 'No such link', fault: 'user', hint: 'GET /v1/stores/{store} lists the links of the store.' },
  API_STORE_LABEL_UNKNOWN: { status: 422, title: 'A label of the manifest has no store', fault: 'user', hint: 'Link a store to the label (POST /v1/stores/{store}/links), or configure it (PUT /v1/apps/{app}/runtime-config); `default` alone needs neither.' },
  API_STORE_KIND_WRONG: { status: 422, title: 'The store is of another kind', fault: 'user', hint: 'Stores of the kind key-value have keys, those of the kind sqlite take SQL.' },
  API_STORE_KEY_NOT_FOUND: { status: 404, title: 'No such key', fault: 'user', hint: 'GET /v1/stores/{store}/keys lists the keys.' },
  API_STORE_NODE_UNCLEAR: { status: 409, title: 'The store is a file that each node has for itself', fault: 'user', hint: 'Name the node with ?node=, or keep the data where all nodes reach it: a store of type redis or postgres for key-value, libsql for sqlite.' },
  API_STORE_UNREACHABLE: { status: 503, title: 'No node answers for the store', fault: 'system', hint: 'Data is reached through nodes: check that one is live and reaches the store, then retry.' },
  API_STORE_FAILED: { status: 502, title: 'The store refused', fault: 'system', hint: 'The message is that of the store; check its settings and that nodes reach it.' },
  API_STORE_TIMEOUT: { status: 504, title: 'The store took too long', fault: 'system', hint: 'Ask for less at a time; a statement that never ends is stopped.' },
  API_SQL_INVALID: { status: 422, title: 'The database refused the statement', fault: 'user', hint: 'Correct the statement; one that changes anything needs {"readOnly": false}.' },
  API_ROLLOUT_FAILED: { status: 422, title: 'The rollout failed', fault: 'user', hint: 'What was served before is still served; the message says why the version cannot serve.' },
  API_ROLLOUT_TIMEOUT: { status: 504, title: 'The nodes did not finish the rollout in time', fault: 'system', hint: 'What was served before is still served. Look at the logs of the nodes that the message names, then roll out again.' },
  API_ROLLOUT_NOT_FOUND: { status: 404, title: 'No such rollout', fault: 'user', hint: 'GET /v1/apps/{app}/rollouts lists the rollouts of the app.' },
  API_ROLLOUT_DECIDED: { status: 409, title: 'The rollout waits for nobody', fault: 'user', hint: 'GET /v1/apps/{app}/rollouts says what became of it; a later push or rollout ends one that waits.' },
  API_ROLLOUT_REJECTED: { status: 422, title: 'The rollout was rejected', fault: 'user', hint: 'What was served before is still served; the message says who rejected it, and why.' },
  API_APPROVAL_BY_ANOTHER: { status: 403, title: 'Somebody else must agree', fault: 'user', hint: 'Ask somebody with another token that has the scope approve or admin.' },
  API_SWITCH_TIMEOUT: { status: 504, title: 'The nodes did not confirm the change in time', fault: 'system', hint: 'The change is stored and the nodes will take it; look at those that the message names.' },

  API_IDEMPOTENCY_KEY_REUSED: { status: 422, title: 'The idempotency key belongs to another request', fault: 'user', hint: 'Use a new Idempotency-Key for a new request.' },
  API_IDEMPOTENCY_KEY_IN_USE: { status: 409, title: 'A request with this idempotency key is under way', fault: 'user', hint: 'Retry in a moment to get its answer.' },

  API_DATABASE_UNAVAILABLE: { status: 503, title: 'The database cannot be reached', fault: 'system', hint: 'Retry in a moment; /readyz says when the database is back.' },
  API_NOT_READY: { status: 503, title: 'The control plane is not ready', fault: 'system', hint: 'The message names what cannot be reached; retry when it is back.' },
} as const satisfies Record<string, ErrorEntry>;
