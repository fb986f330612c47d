import type { ErrorEntry } from './entry.js';

/** What the gateway of a node answers when it finds nobody who does. */
export const GATEWAY_ERRORS = {
  GATEWAY_APP_NOWHERE: { status: 503, title: 'No node has the app at the moment', fault: 'system', hint: 'It was asked for, and did not come in time; retry after the time in Retry-After. GET /v1/apps/{app}/placement says what keeps it.' },
  GATEWAY_NODE_UNREACHABLE: { status: 503, title: 'No node that has the app can be reached', fault: 'system', hint: 'Retry after the time in Retry-After; the log of the node that answered names the ones it tried.' },
  GATEWAY_ANSWER_LOST: { status: 502, title: 'The node that had the request gave no answer', fault: 'system', hint: 'It may have been carried out or not: retry where that does no harm.' },
  GATEWAY_LATE: { status: 504, title: 'The node that had the request did not answer in time', fault: 'system', hint: 'Look at the log of the app; what takes longer than an invocation may is ended.' },
  GATEWAY_BUSY: { status: 503, title: 'Too many requests wait for apps that are on no node', fault: 'system', hint: 'Retry after the time in Retry-After.' },
  GATEWAY_DOWN: { status: 503, title: 'The gateway of the node does not answer', fault: 'system', hint: 'The node starts it again by itself; its log says why it ended.' },
} as const satisfies Record<string, ErrorEntry>;
