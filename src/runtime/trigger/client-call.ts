import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AnswerBatch } from './answer-batch.js';

/** A request of a client, with the answer's way back. */
export interface ClientCall {
  request: IncomingMessage;
  response: ServerResponse;
  /** The client waits for `100 Continue` before it sends the body. */
  expectsContinue: boolean;
  /** It came in by another node, whose gateway handed it over. */
  isRelayed: boolean;
  front: ClientFront;
}

/** What answers need of the front that they go through. */
export interface ClientFront {
  readonly draining: boolean;
  readonly answers: AnswerBatch;
  /** The guest's answer could not be sent. */
  onFault(error: Error): void;
}
