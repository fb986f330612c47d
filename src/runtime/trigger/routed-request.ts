import type { ErrorCode } from '#contract/errors.js';
import type { Ending } from '#runtime/capability/ending.js';
import type { HttpExchange } from '#runtime/capability/guest.js';
import type { InvocationRequest, Mover } from '#runtime/component/invocation-run.js';
import type { ClientCall } from './client-call.js';
import { ClientExchange } from './client-exchange.js';
import type { HeavyProxy } from './heavy-proxy.js';
import type { RequestIds, RequestPlace } from './request-ids.js';
import type { RequestRoute } from './request-route.js';

/** A request of a client on its way to a component. Its id and what it says of its client are made when somebody asks. */
export class RoutedRequest implements InvocationRequest, Mover {
  readonly depth = 0;
  readonly exchange: ClientExchange;
  readonly elsewhere: Mover | null;
  private id: string | null;

  /** @param heavy where it may use more CPU; null: here and nowhere else */
  constructor(private readonly call: ClientCall, private readonly route: RequestRoute, private readonly ids: RequestIds, private readonly heavy: HeavyProxy | null) {
    this.exchange = new ClientExchange(call, route, () => this.requestId);
    this.elsewhere = heavy ? this : null;
    this.id = route.handed?.requestId ?? null;
  }

  get requestId(): string {
    return (this.id ??= this.ids.next(this.route.match.value, () => this.place()));
  }

  chain(component: string | null, exchange: HttpExchange, from: InvocationRequest, ending: Ending): void {
    this.route.version.chain(component, exchange, from, ending);
  }

  move(unserved: (why: string) => void): void {
    this.route.copy?.skip('heavy');
    const { channel, version, setCookie } = this.route;
    const { app, channel: name } = channel.lane;
    this.heavy!.forward(channel.key, this.call, {
      app, channel: name, version: version.stored.version, requestId: this.requestId, clientAddress: this.exchange.clientAddress, setCookie,
    }, { over: () => this.moved(), unserved });
  }

  over(code: ErrorCode | null, status: number, cpuMs: number): void {
    const { seen, copy } = this.route;
    seen?.end({ code, status, cpuMs });
    if (copy) {
      this.exchange.over();
      copy.originalOver({ code, status, cpuMs }, { requestId: this.requestId, clientAddress: this.exchange.clientAddress });
    }
    this.route.version.leave();
  }

  private place(): RequestPlace {
    const { channel, version, match } = this.route;
    const component = version.artifact.app.components.findIndex(({ id }) => id === match.value.trigger.component);
    return { channel: channel.lane.channel, version: version.stored.version, component };
  }

  /** It ended in the heavy lane. */
  private moved(): void {
    this.route.seen?.end({ code: null, status: this.call.response.statusCode, cpuMs: null });
    this.route.version.leave();
  }
}
