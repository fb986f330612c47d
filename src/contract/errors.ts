import { z } from 'zod';
import { API_ERRORS } from './errors/api.js';
import { BUNDLE_ERRORS } from './errors/bundle.js';
import { COMPONENT_ERRORS } from './errors/component.js';
import type { ErrorEntry } from './errors/entry.js';
import { GATEWAY_ERRORS } from './errors/gateway.js';
import { NODE_ERRORS } from './errors/node.js';
import { REGISTRY_ERRORS } from './errors/registry.js';
import { SCHEDULER_ERRORS } from './errors/scheduler.js';
import { UP_ERRORS } from './errors/up.js';

/** Every error a user can meet, by code. Codes are `STAGE_CONDITION`, never renamed, never reused. docs/errors.md says the same. */
export const ERRORS = {
  ...BUNDLE_ERRORS,
  ...REGISTRY_ERRORS,
  ...API_ERRORS,
  ...SCHEDULER_ERRORS,
  ...NODE_ERRORS,
  ...GATEWAY_ERRORS,
  ...COMPONENT_ERRORS,
  ...UP_ERRORS,
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** The one error class. `message` names what is wrong in this case; `fields` the parts of the input, by path. */
export class WhorlError extends Error {
  override name = 'WhorlError';
  readonly fields: Record<string, string[]> | undefined;

  constructor(readonly code: ErrorCode, message: string, options: { cause?: unknown; fields?: Record<string, string[]> } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.fields = options.fields;
  }

  get entry(): ErrorEntry {
    return ERRORS[this.code];
  }
}

/** RFC 9457 `application/problem+json`. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  hint: z.string(),
  errors: z.record(z.string(), z.array(z.string())).optional(),
  instance: z.string().optional(),
});
export type Problem = z.infer<typeof Problem>;

/** The answer's body for an error; `instance` is the request's id. */
export function toProblem(error: WhorlError, instance?: string): Problem {
  const { status, title, hint } = error.entry;
  return {
    type: `urn:whorl:error:${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    hint,
    ...(error.fields && { errors: error.fields }),
    ...(instance && { instance }),
  };
}
