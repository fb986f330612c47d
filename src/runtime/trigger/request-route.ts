import type { RouteMatch } from '#contract/bundle/routes.js';
import type { Observation } from '#runtime/meter/version-samples.js';
import type { AppVersion } from './app-version.js';
import type { ServedChannel } from './channel-table.js';
import type { HandedOver } from './lane-headers.js';
import type { ShadowCopy } from './shadow-copy.js';
import type { RouteTarget } from './version-host.js';

/** What a request is for, once its route is found. */
export interface RequestRoute {
  channel: ServedChannel;
  version: AppVersion;
  match: RouteMatch<RouteTarget>;
  authority: string;
  pathWithQuery: string;
  /** What the shared lane, or another node, has said of it; without an id it gets one here, since an id says where it was answered. null: it came from a client. */
  handed: (Pick<HandedOver, 'clientAddress'> & Partial<Pick<HandedOver, 'requestId'>>) | null;
  /** For the answer: what chose the version. */
  setCookie: string | null;
  /** null: nothing is compared with its version. */
  seen: Observation | null;
  /** null: another version gets no copy of it. */
  copy: ShadowCopy | null;
}
