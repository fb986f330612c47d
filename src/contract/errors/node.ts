import type { ErrorEntry } from './entry.js';

export const NODE_ERRORS = {} as const satisfies Record<string, ErrorEntry>;
