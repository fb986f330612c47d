import type { ErrorEntry } from './entry.js';

export const REGISTRY_ERRORS = {} as const satisfies Record<string, ErrorEntry>;
