import type { ByteSink, HttpExchange } from '../guest.js';
import type { BodyDestination } from './body-writer.js';
import type { ErrorCode } from './error-code.js';
import { declaredLength, type Fields } from './fields.js';

/** Statuses without content (RFC 9110, sections 15.3.5 and 15.4.5). */
const hasContent = (status: number): boolean => status !== 204 && status !== 304;

/** The answer to an exchange. */
export class ResponseDestination implements BodyDestination {
  readonly bodiless: boolean;

  constructor(private readonly exchange: HttpExchange, private readonly status: number, private readonly fields: Fields) {
    this.bodiless = exchange.method === 'HEAD' || !hasContent(status);
  }

  start(length: number | null): ByteSink {
    const headers = this.fields.toHeaders();
    // A HEAD handler that wrote nothing says nothing about the length that GET would have; 204 and 304 carry none (RFC 9110, 8.6).
    const says = length !== null && hasContent(this.status) && !(this.bodiless && length === 0);
    if (says && !this.fields.has('content-length')) headers.push(['content-length', String(length)]);
    return this.exchange.respond(this.status, headers);
  }

  /** The exchange stays unanswered: when the guest is done the component stage answers 500, which tells more than a broken 200. */
  abandon(): void {}
}

/** Why a head cannot be sent as a final answer; null: it can. */
export function responseFault(status: number, fields: Fields): string | null {
  if (status < 200 || status > 599) return `answered with status ${status}, which is no final status`;
  if (declaredLength(fields) === undefined) return 'answered with a content-length that is no length';
  return null;
}

/** For the log: the case, and the guest's own words where it has some. */
export function answeredError(code: ErrorCode): string {
  return `answered with the error ${code.tag}${code.tag === 'internal-error' && code.val !== undefined ? ` (${code.val})` : ''}`;
}

/** The empty 500 that a client gets when the guest has no answer; the reason is for the log alone. */
export function respondFault(exchange: HttpExchange): void {
  exchange.respond(500, [['content-length', '0']]).end();
}
