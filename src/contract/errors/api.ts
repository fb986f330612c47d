import type { ErrorEntry } from './entry.js';

export const API_ERRORS = {
  INTERNAL: { status: 500, title: 'Internal error', fault: 'system', hint: 'Retry; if it stays, look for the request id in the log of the control plane.' },
} as const satisfies Record<string, ErrorEntry>;
