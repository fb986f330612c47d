import type { ErrorEntry } from './entry.js';

/** Errors of the scheduler: where channels may be. */
export const SCHEDULER_ERRORS = {
  SCHEDULER_STATE_PINNED: {
    status: 409,
    title: 'The state of the app is on one node',
    fault: 'user',
    hint: 'Link a store that nodes share to each label that the message names: POST /v1/stores with type redis or postgres (key-value) or libsql (SQLite), then POST /v1/stores/{store}/links; what is in the files has to be copied first.',
  },
} as const satisfies Record<string, ErrorEntry>;
