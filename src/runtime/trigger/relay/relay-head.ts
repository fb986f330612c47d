import type { IncomingHttpHeaders } from 'node:http';
import type { AppName, ChannelName } from '#contract/ids.js';
import type { Fields } from './exchange.js';

/**
 * What nodes tell each other of a request, in header fields between gateways and runners. They listen on sockets in the node's folder, and for
 * other gateways that show a certificate; clients' own fields of these names are never passed on.
 */

/** What a runner tells the gateway of its node of a request that it has no answer for. */
export interface StrayRequest {
  requestId: string;
  clientAddress: string;
}

/** What a node is told of a request that came in by another. */
export interface RelayedRequest extends StrayRequest {
  app: AppName;
  channel: ChannelName;
  /** The newest generation that anybody was answered by, as far as the sender knows: an older one must not answer. */
  generation: number;
  /** The client waits for `100 Continue`; else it is the sender that does. */
  clientWaits: boolean;
}

export function toStrayFields({ requestId, clientAddress }: StrayRequest): Fields {
  return ['whorl-request-id', requestId, 'whorl-client-addr', clientAddress];
}

export function toRelayFields(request: RelayedRequest): Fields {
  return [
    ...toStrayFields(request),
    'whorl-app', request.app,
    'whorl-channel', request.channel,
    'whorl-generation', String(request.generation),
    ...(request.clientWaits ? ['whorl-client-waits', '1'] : []),
  ];
}

type Heads = Pick<IncomingHttpHeaders, string>;
const text = (headers: Heads, name: string): string | undefined => headers[name] as string | undefined;

/** undefined: not a request from a runner of ours. */
export function readStrayFields(headers: Heads): StrayRequest | undefined {
  const requestId = text(headers, 'whorl-request-id');
  const clientAddress = text(headers, 'whorl-client-addr');
  return requestId && clientAddress ? { requestId, clientAddress } : undefined;
}

/** undefined: not a request from a gateway. */
export function readRelayFields(headers: Heads): RelayedRequest | undefined {
  const stray = readStrayFields(headers);
  const app = text(headers, 'whorl-app');
  const channel = text(headers, 'whorl-channel');
  const generation = Number(text(headers, 'whorl-generation'));
  if (!stray || !app || !channel || !Number.isSafeInteger(generation)) return undefined;
  return { ...stray, app: app as AppName, channel: channel as ChannelName, generation, clientWaits: headers['whorl-client-waits'] !== undefined };
}

/** What a node tells of itself with an answer. */
export interface RelayedAnswer {
  /** Of the channel, as it answered; 0: it does not have it. */
  generation: number;
  /** Invocations under way and waiting, where the answer came from. */
  load: number;
  /** The request was not processed: the channel is not here, or not at the generation that was asked for. */
  isMisdirected: boolean;
}

export const ANSWER_FIELD = 'whorl-relay';

export function toAnswerField({ generation, load, isMisdirected }: RelayedAnswer): string {
  return `${isMisdirected ? 'misdirected, ' : ''}generation=${generation}, load=${load}`;
}

/**
 * What was told with an answer, and its fields without that. It is the last one of its name: what a guest sends under it comes before and
 * stays the guest's. undefined: nothing was told, so it is no answer of a runner.
 */
export function takeAnswerField(fields: Readonly<Fields>): { told: RelayedAnswer | undefined; rest: Fields } {
  for (let i = fields.length - 2; i >= 0; i -= 2) {
    if (fields[i]!.length !== ANSWER_FIELD.length || fields[i]!.toLowerCase() !== ANSWER_FIELD) continue;
    return { told: readAnswer(fields[i + 1]!), rest: [...fields.slice(0, i), ...fields.slice(i + 2)] };
  }
  return { told: undefined, rest: [...fields] };
}

const ANSWER = /^(misdirected, )?generation=(\d{1,10}), load=(\d{1,10})$/;

function readAnswer(value: string): RelayedAnswer | undefined {
  const found = ANSWER.exec(value);
  return found ? { isMisdirected: found[1] !== undefined, generation: Number(found[2]), load: Number(found[3]) } : undefined;
}
