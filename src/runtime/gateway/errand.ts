import type { NodeName } from '#contract/ids.js';
import type { Route } from '#contract/routes.js';
import type { ClientCall } from '#runtime/trigger/client-call.js';
import { type RequestTarget, toHostName } from '#runtime/trigger/authority.js';
import { answerNotReady, answerUnknownHost } from '#runtime/trigger/platform-answers.js';
import { ClientInbound, toOutgoing } from '#runtime/trigger/relay/client-inbound.js';
import type { Fields, Open } from '#runtime/trigger/relay/exchange.js';
import { type Outcome, relay } from '#runtime/trigger/relay/relay.js';
import { type StrayRequest, takeAnswerField, toRelayFields } from '#runtime/trigger/relay/relay-head.js';
import { answerGatewayError, type GatewayError } from './gateway-answers.js';
import { type Candidate, chooseNode } from './choose-node.js';
import type { GatewayParts } from './gateway-parts.js';

/** How long a request waits for a channel that is nowhere, or whose nodes do not answer. */
const MAX_WAIT_MS = 10_000;
/** Nodes that did not have it, or did not answer, are asked again. */
const AGAIN_MS = 250;
const MAX_WAITING = 4_096;
/** Of requests that may have been processed, and do no harm twice. */
const MAX_RESENT = 2;
/** RFC 9110, section 9.2.2. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** One request that is brought to a node that has what it is for, and its answer back. */
export class Errand {
  private readonly inbound: ClientInbound;
  private readonly untilMs = performance.now() + MAX_WAIT_MS;
  /** Not to be asked again before something has changed. */
  private readonly tried = new Set<NodeName>();
  private hasFreshTable = false;
  private wasUnreachable = false;
  private tries = 0;
  private resent = 0;
  private hasWaited = false;

  constructor(private readonly parts: GatewayParts, private readonly call: ClientCall, private readonly stray: StrayRequest, private readonly target: RequestTarget) {
    this.inbound = new ClientInbound(call);
  }

  run(): void {
    if (this.inbound.isOver) return this.parts.over();
    const { table, news } = this.parts;
    const route = table.byHost(toHostName(this.target.authority));
    if (route?.isServed) return this.bring(route);
    if (!this.hasFreshTable) {
      this.hasFreshTable = true;
      return news.await(() => this.run());
    }
    if (route) answerNotReady(this.call);
    else answerUnknownHost(this.call, toHostName(this.target.authority), this.parts);
    this.parts.over();
  }

  private bring(route: Route): void {
    const { table, random } = this.parts;
    const chosen = chooseNode(this.candidates(route), table.floorOf(route), random);
    if (!chosen) return this.wait(route);
    const open = this.openTo(chosen.node);
    if (!open) return this.elsewhere(chosen.node);
    this.attempt(route, chosen.node, open);
  }

  private candidates({ replicas }: Route): Candidate[] {
    const { table, scores, self, canReachOthers } = this.parts;
    const there = replicas.filter(({ node }) => !this.tried.has(node) && (node === self || (canReachOthers() && table.node(node) !== undefined)));
    // Here nothing has to be carried anywhere.
    const own = there.find(({ node, leaving }) => node === self && !leaving);
    return (own ? [own] : there).map(({ node, generation, leaving = false }) => ({
      node, generation, isLeaving: leaving, isLost: node !== self && table.node(node)!.state === 'lost', isOut: scores.isOut(node), load: scores.loadOf(node),
    }));
  }

  private openTo(node: NodeName): Open | undefined {
    const { table, self, toSelf, toNode } = this.parts;
    if (node === self) return toSelf;
    const found = table.node(node);
    return found && toNode(found);
  }

  private attempt(route: Route, node: NodeName, open: Open): void {
    const { parts, call, stray, target, inbound } = this;
    const { deadlines, headTimeoutMs, counts } = parts;
    if (this.tries++ > 0) counts.retried++;
    const { app, channel } = route;
    const told = toRelayFields({ ...stray, app, channel, generation: parts.table.floorOf(route), clientWaits: call.expectsContinue });
    const leave = parts.scores.begin(node);
    relay({
      inbound, open, deadlines, headTimeoutMs,
      outgoing: toOutgoing(call, target.authority, target.pathWithQuery, told),
      waitsToProceed: true,
      accept: (_status, fields) => this.accept(route, node, fields),
      over: (outcome) => {
        leave();
        this.ended(node, outcome);
      },
    });
  }

  /** What to pass back; null: the node did not process it. */
  private accept(route: Route, node: NodeName, fields: Fields): Fields | null {
    const { scores, raise, counts, self } = this.parts;
    const { told, rest } = takeAnswerField(fields);
    if (!told) return rest;
    scores.told(node, told.load);
    if (told.isMisdirected) {
      counts.misdirected++;
      return null;
    }
    raise(route, told.generation);
    if (node !== self) counts.handedOver++;
    return rest;
  }

  private ended(node: NodeName, outcome: Outcome): void {
    if (outcome.kind === 'done' || outcome.kind === 'gone') return this.parts.over();
    if (outcome.kind === 'declined') return this.elsewhere(node);
    const { parts, inbound, stray } = this;
    const { error, wasSent, wasRead, isLate } = outcome;
    parts.log.warn('a node gave no answer', { node, requestId: stray.requestId, wasSent, reason: error.message });
    if (inbound.hasBegun || inbound.isOver) return this.fail('GATEWAY_ANSWER_LOST');
    if (isLate) return this.fail('GATEWAY_LATE');
    parts.scores.failed(node);
    this.wasUnreachable = true;
    if (wasRead || (wasSent && !this.mayResend())) return this.fail('GATEWAY_ANSWER_LOST');
    this.elsewhere(node);
  }

  private mayResend(): boolean {
    return IDEMPOTENT.has(this.call.request.method!) && this.inbound.body === null && this.resent++ < MAX_RESENT;
  }

  private elsewhere(node: NodeName): void {
    this.tried.add(node);
    this.run();
  }

  /** Nobody is left to ask. */
  private wait({ app, channel, replicas }: Route): void {
    const { parts, inbound } = this;
    if (performance.now() >= this.untilMs) return this.fail(this.wasUnreachable ? 'GATEWAY_NODE_UNREACHABLE' : 'GATEWAY_APP_NOWHERE');
    if (parts.gauges.waiting >= MAX_WAITING) return this.fail('GATEWAY_BUSY');
    if (!this.hasWaited) parts.counts.waited++;
    this.hasWaited = true;
    parts.gauges.waiting++;
    // Somebody may bring it to a node, this one not excluded.
    if (replicas.every(({ node }) => this.tried.has(node))) parts.want({ app, channel });
    const go = (): void => {
      clearTimeout(timer);
      stopListening();
      stopWatching();
      parts.gauges.waiting--;
      this.tried.clear();
      this.run();
    };
    const timer = setTimeout(go, AGAIN_MS);
    const stopListening = parts.table.onChange(go);
    const stopWatching = inbound.onOver(go);
  }

  private fail(code: GatewayError): void {
    const { parts, inbound, call } = this;
    parts.counts.failed++;
    if (!inbound.hasBegun && !inbound.isOver) answerGatewayError(call, code);
    parts.over();
  }
}
