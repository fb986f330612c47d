import type { ByteSource, Headers } from '../guest.js';
import type { ErrorCode } from '../http/error-code.js';
import type { Fields } from '../http/fields.js';
import type { RequestOptions } from '../http/request-options.js';

/** A request as either version of wasi:http describes it. */
export interface OutboundRequest {
  method: string;
  /** Lower case; null: not given. */
  scheme: string | null;
  /** null: a request to the component's own app. */
  authority: string | null;
  pathWithQuery: string;
  headers: Fields;
  options: RequestOptions | null;
  /** Called once, when nothing of it is needed any more. */
  drop(): void;
}

export interface OutboundResponse {
  status: number;
  headers: Headers;
  body: ByteSource;
}

/** Told apart by `tag`, which only an error has. */
export type OutboundOutcome = OutboundResponse | ErrorCode;
