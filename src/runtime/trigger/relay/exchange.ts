import type { Readable, Writable } from 'node:stream';

/** Header or trailer fields, flat: name, value, name, value. */
export type Fields = string[];

/** A request that has come in and is answered by what somebody else answers to it, whatever it came over. */
export interface Inbound {
  /** As it came; null: it announces none. */
  readonly body: Readable | null;
  /** Those behind the body, once it has ended. */
  readonly bodyTrailers: Readonly<Fields>;
  /** Who sent it waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
  /** Nobody waits for the answer any more, or it is sent. */
  readonly isOver: boolean;
  /** The head of the answer has left. */
  readonly hasBegun: boolean;
  /** Answers `100 Continue`. */
  proceed(): void;
  /** An interim answer other than 100. */
  inform(status: number, fields: Fields): void;
  /** Sends the head; fields of the connection are left out. The stream takes the body. */
  begin(status: number, fields: Fields): Writable;
  addTrailers(fields: Fields): void;
  /** Breaks the answer off. */
  abort(): void;
  /** Calls once when it is over; `isWhole`: the answer was sent to its end. What is given back takes the listener off. */
  onOver(listener: (isWhole: boolean) => void): () => void;
}

/** A request as it is passed on. */
export interface Outgoing {
  method: string;
  authority: string;
  /** Origin form, or `*`. */
  target: string;
  /** Without Host, and without those of a connection but Expect. */
  fields: Fields;
  hasBody: boolean;
  /** Whether it is chunked: its length is not among the fields. */
  isChunked: boolean;
}

export interface OutboundEvents {
  /** The connection is there. */
  ready(): void;
  /** `100 Continue` came. */
  proceed(): void;
  inform(status: number, fields: Fields): void;
  head(status: number, fields: Fields, body: Readable): void;
  /** Called once, and last. `wasSent` false: nobody has seen anything of the request, or who did says that it is not processed. */
  failed(error: Error, wasSent: boolean): void;
}

/** A request on its way to somebody who answers it. */
export interface Outbound {
  readonly body: Writable;
  /** To be called before the body ends. */
  addTrailers(fields: Fields): void;
  /** Those behind the answer's body, once that has ended. */
  readonly answerTrailers: Readonly<Fields>;
  /** Lets go of it: who answers it is told that nobody waits. No event comes after it. */
  cancel(): void;
}

export type Open = (outgoing: Outgoing, events: OutboundEvents) => Outbound;
