import type { ErrorEntry } from './entry.js';

export const COMPONENT_ERRORS = {} as const satisfies Record<string, ErrorEntry>;
