import { randomInt } from 'node:crypto';
import { requestScope, toRequestId } from '#contract/request-id.js';

/** Runners of a node count from places so far apart that they do not meet. */
const FIRST = 2 ** 40;

/** Where a request is answered. */
export interface RequestPlace {
  channel: string;
  version: number;
  /** Place among the components of the version; below 0: none of them. */
  component: number;
}

/** Makes ids of requests (contract/request-id.ts). */
export class RequestIds {
  private last = randomInt(FIRST);
  private readonly scopes = new WeakMap<object, string>();

  constructor(private readonly node: string) {}

  /** @param target a route of a version; `placeOf` is asked once for each */
  next(target: object, placeOf: () => RequestPlace): string {
    let scope = this.scopes.get(target);
    if (scope === undefined) {
      const { channel, version, component } = placeOf();
      scope = requestScope({ node: this.node, channel, version, component: component < 0 ? null : component });
      this.scopes.set(target, scope);
    }
    return toRequestId(Date.now(), scope, ++this.last);
  }
}
