import { type IncomingMessage, ServerResponse } from 'node:http';
import { ANSWER_FIELD, toAnswerField } from './relay-head.js';

/** The answer to a request that came in by another node: says what that one's gateway wants to know of this one. */
export class RelayedResponse<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
  generation = 0;
  load = 0;
  isMisdirected = false;

  /** Name and value of the field that says it; to be the last one. */
  telling(): [string, string] {
    return [ANSWER_FIELD, toAnswerField(this)];
  }
}
