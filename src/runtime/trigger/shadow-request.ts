import type { RouteMatch } from '#contract/bundle/routes.js';
import type { ErrorCode } from '#contract/errors.js';
import { MAX_COPIED_BYTES, SHADOW_MARK } from '#contract/shadow.js';
import type { Ending } from '#runtime/capability/ending.js';
import type { HttpExchange } from '#runtime/capability/guest.js';
import type { InvocationRequest } from '#runtime/component/invocation-run.js';
import type { Ended } from '#runtime/meter/version-samples.js';
import type { AppVersion } from './app-version.js';
import { MemoryExchange } from './memory-exchange.js';
import { injectHeaders, toGuestFields } from './request-headers.js';
import type { ShadowCopy } from './shadow-copy.js';
import type { RouteTarget } from './version-host.js';

/** A copy of a request on its way to a component. Its logs have the id of the original behind `shadow-`. */
export class ShadowRequest implements InvocationRequest {
  readonly depth = 0;
  readonly elsewhere = null;
  readonly requestId: string;
  readonly exchange: MemoryExchange;
  /** It asked for an effect. */
  wasRefused = false;
  onOver: (ended: Ended) => void = () => undefined;

  constructor(copy: ShadowCopy, private readonly version: AppVersion, match: RouteMatch<RouteTarget>) {
    const { request, authority, pathWithQuery } = copy.of;
    const { clientAddress } = copy;
    this.requestId = `shadow-${copy.requestId}`;
    const facts = { pathInfo: match.trailing, fullUrl: `http://${authority}${pathWithQuery}`, clientAddress, params: match.params };
    const fields = toGuestFields(request.rawHeaders, authority);
    fields.push([...SHADOW_MARK]);
    this.exchange = new MemoryExchange({
      method: request.method ?? 'GET', authority, pathWithQuery, headers: injectHeaders(fields, match.value.headers, facts), body: copy.source(),
    }, MAX_COPIED_BYTES);
  }

  refused(): void {
    this.wasRefused = true;
  }

  chain(component: string | null, exchange: HttpExchange, from: InvocationRequest, ending: Ending): void {
    this.version.chain(component, exchange, from, ending);
  }

  over(code: ErrorCode | null, status: number, cpuMs: number): void {
    this.onOver({ code, status, cpuMs });
  }
}
