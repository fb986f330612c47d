import { randomUUID } from 'node:crypto';
import type { Deadlines } from '#runtime/component/deadlines.js';
import type { ClientCall } from './client-call.js';
import { answerUnloaded } from './platform-answers.js';
import { ClientInbound, toOutgoing } from './relay/client-inbound.js';
import type { Open } from './relay/exchange.js';
import { type Outcome, relay } from './relay/relay.js';
import { toStrayFields } from './relay/relay-head.js';
import { toKeptSocket, toSocket } from './relay/socket-outbound.js';
import { toClientAddress } from './request-headers.js';

export interface GatewayProxyOptions {
  /** Where the node's gateway listens. */
  socketPath: string;
  deadlines: Deadlines;
  /** Longest time from the hand-over to the head of the answer. */
  headTimeoutMs: number;
  onError(error: Error, requestId: string): void;
}

/** A gateway that has ended is started again within this. */
const PATIENCE_MS = 5_000;
const RETRY_MS = 50;
/** The gateway closes a connection without use after a minute. */
const KEPT_MS = 10_000;

/** Hands requests for what this node does not have to its gateway, which finds a node that does, or says that there is none. */
export class GatewayProxy {
  private readonly open: Open;
  private readonly openAsking: Open;

  constructor(private readonly options: GatewayProxyOptions) {
    const { socketPath: path } = options;
    this.open = toKeptSocket({ path, asksToProceed: false, keptMs: KEPT_MS });
    this.openAsking = toSocket({ path, asksToProceed: true });
  }

  forward(call: ClientCall, authority: string, pathWithQuery: string): void {
    const { remoteAddress, remotePort } = call.request.socket;
    const requestId = randomUUID();
    const outgoing = toOutgoing(call, authority, pathWithQuery, toStrayFields({ requestId, clientAddress: toClientAddress(remoteAddress, remotePort) }));
    const inbound = new ClientInbound(call);
    const { deadlines, headTimeoutMs, onError } = this.options;
    const untilMs = performance.now() + PATIENCE_MS;
    const open = call.expectsContinue ? this.openAsking : this.open;
    const attempt = (): void => relay({
      inbound, outgoing, open, deadlines, headTimeoutMs,
      waitsToProceed: call.expectsContinue,
      over: (outcome) => ended(outcome),
    });
    const ended = (outcome: Outcome): void => {
      if (outcome.kind !== 'failed') return;
      const mayRetry = !outcome.wasSent && !outcome.wasRead && !outcome.isLate && performance.now() < untilMs;
      if (mayRetry) return void setTimeout(() => inbound.isOver || attempt(), RETRY_MS);
      onError(outcome.error, requestId);
      if (!inbound.hasBegun && !inbound.isOver) answerUnloaded(call, outcome.isLate ? 'GATEWAY_LATE' : 'GATEWAY_DOWN');
    };
    attempt();
  }
}
