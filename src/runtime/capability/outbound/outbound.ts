import { refusesEffect } from '../effect.js';
import type { GuestState, Headers } from '../guest.js';
import { BodyWriter, type BodyDestination } from '../http/body-writer.js';
import type { ErrorCode } from '../http/error-code.js';
import { slotOf, type Stoppable } from '../slot.js';
import { noteProhibited } from './dial-failure.js';
import { agentOf } from './http-agent.js';
import { Loopback } from './loopback.js';
import { NetworkExchange } from './network-exchange.js';
import { OutboundPolicy } from './outbound-policy.js';
import type { OutboundOutcome, OutboundRequest } from './outcome.js';
import { DISCARD } from './request-body.js';
import { routeOf, type Route } from './route.js';
import { TrailerDispatcher } from './trailer-dispatcher.js';

/** Spin's default for each of the three timeouts; the invocation's deadline is nearer as a rule. */
const DEFAULT_TIMEOUT_MS = 600_000;
const MAX_TIMER_MS = 2 ** 31 - 1;

const policies = new WeakMap<readonly string[], OutboundPolicy>();

/** `allowed_outbound_hosts` of a component, parsed once for each set of entries. */
export function policyOf(entries: readonly string[]): OutboundPolicy {
  let policy = policies.get(entries);
  if (!policy) policies.set(entries, (policy = OutboundPolicy.parse(entries)));
  return policy;
}

/**
 * Sends a guest's request: over the network, to the app itself or to one of its components. `writer` is the body that the guest writes,
 * null when it took none. `done` is called exactly once, at the latest when the invocation ends; the returned handle stops it earlier.
 */
export function sendOutbound(
  state: GuestState,
  request: OutboundRequest,
  writer: BodyWriter | null,
  done: (outcome: OutboundOutcome) => void,
): Stoppable | null {
  const { grant } = state;
  const refused = (code: ErrorCode) => {
    request.drop();
    writer?.attach(refuse);
    done(code);
    return null;
  };
  const route = routeOf(request, policyOf(grant.allowedOutboundHosts), grant.components);
  if (route.to === 'nowhere') {
    if (route.destination !== null && route.code.tag === 'HTTP-request-denied') noteDenied(state, route.destination);
    return refused(route.code);
  }
  if (route.to === 'network' && refusesEffect(state)) return refused({ tag: 'HTTP-request-denied' });
  if (request.method === 'CONNECT') return refused({ tag: 'HTTP-request-method-invalid' });
  state.invocation.effect?.();
  const slot = slotOf(state);
  const exchange = open(state, request, route, {
    done: noting(state, done),
    over: () => {
      if (slot.untrack(exchange)) request.drop();
    },
  });
  if (!slot.track(exchange)) return refused({ tag: 'connection-limit-reached' });
  if (writer === null) exchange.start(0).end();
  else {
    writer.attach(exchange);
    if (!writer.done) slot.hold(writer);
  }
  return exchange;
}

const refuse: BodyDestination = { bodiless: true, start: () => DISCARD, abandon: () => undefined };

interface Callbacks {
  done: (outcome: OutboundOutcome) => void;
  over: () => void;
}

function open(state: GuestState, request: OutboundRequest, route: Exclude<Route, { to: 'nowhere' }>, calls: Callbacks): Loopback | NetworkExchange {
  const headers = request.headers.toHeaders().filter(([name]) => name !== 'host' && name !== 'expect');
  const pathWithQuery = request.pathWithQuery.startsWith('/') || request.pathWithQuery === '*' ? request.pathWithQuery : `/${request.pathWithQuery}`;
  const { invocation } = state;
  if (route.to === 'network') {
    return new NetworkExchange(
      announcesTrailers(headers) ? new TrailerDispatcher(state.grant) : agentOf(state.grant),
      {
        method: request.method,
        origin: route.origin,
        path: pathWithQuery,
        headers,
        connectMs: timeoutMs(request.options?.connectNs),
        firstByteMs: timeoutMs(request.options?.firstByteNs),
        betweenBytesMs: timeoutMs(request.options?.betweenBytesNs),
        memory: state.memory,
      },
      calls.done,
      calls.over,
    );
  }
  const component = route.to === 'component' ? route.id : null;
  const authority = request.authority ?? 'localhost';
  return new Loopback(
    { method: request.method, pathWithQuery, scheme: request.scheme === 'https' ? 'https' : 'http', authority, headers, memory: state.memory },
    (exchange) => invocation.chain(component, exchange),
    calls.done,
    calls.over,
  );
}

/** Where the length is declared, trailers cannot be sent (RFC 9112, section 7.1.2). */
function announcesTrailers(headers: Headers): boolean {
  return headers.some(([name]) => name === 'trailer') && !headers.some(([name]) => name === 'content-length');
}

/** Rounded up, so that no timeout strikes early; 0 ns is at once. */
function timeoutMs(ns: bigint | undefined): number {
  if (ns === undefined) return DEFAULT_TIMEOUT_MS;
  return Math.min(MAX_TIMER_MS, Number((ns + 999_999n) / 1_000_000n));
}

/** A blocked address, or too many connections, is a matter for the operator: say so in the log, since the guest sees a bare code. */
function noting(state: GuestState, done: (outcome: OutboundOutcome) => void): (outcome: OutboundOutcome) => void {
  const { invocation } = state;
  return (outcome) => {
    if ('tag' in outcome && outcome.tag === 'connection-limit-reached') {
      invocation.struck?.('COMPONENT_CONNECTION_LIMIT', 'the component, or its app, has as many connections in this runner as it may have');
    }
    if ('tag' in outcome && outcome.tag === 'destination-IP-prohibited') noteProhibited(invocation);
    done(outcome);
  };
}

/** Spin's words: users search for them. */
export function noteDenied(state: GuestState, destination: string): void {
  state.invocation.note(`A component tried to make an outbound network connection to disallowed destination '${destination}'.`);
  state.invocation.note(`To allow this request, add 'allowed_outbound_hosts = ["${destination}"]' to the manifest component section.`);
}
