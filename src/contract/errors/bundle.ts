import type { ErrorEntry } from './entry.js';

export const BUNDLE_ERRORS = {} as const satisfies Record<string, ErrorEntry>;
