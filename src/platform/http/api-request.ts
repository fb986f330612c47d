import type { Request } from 'express';

/** `approve`: agrees to what a version asks for, and nothing else. */
export type Scope = 'admin' | 'node' | 'approve';

/** Who asks: the token's name and what it allows. */
export interface Principal {
  name: string;
  scopes: readonly string[];
  /** Of a node that has shown its certificate: the one name that it may speak for. */
  node?: string;
}

/** What the platform adds to an Express request. */
export interface ApiRequest extends Request {
  /** Answered as X-Request-Id, and `instance` of a problem. */
  id: string;
  principal?: Principal;
  /** SHA-256 of a body that was streamed, set by its handler: an idempotency key covers the body with it. */
  bodyDigest?: string;
  /** Of the idempotency key, when there is one: what begins under it can be found again by the same request. */
  idempotencyId?: string;
}
