import type { ErrorEntry } from './entry.js';

export const UP_ERRORS = {} as const satisfies Record<string, ErrorEntry>;
