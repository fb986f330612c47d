import type { IncomingMessage } from 'node:http';
import { GROUPS } from '#contract/samples.js';
import { ChannelSamples } from '#runtime/meter/version-samples.js';
import { hash32 } from './hash32.js';
import { toClientHost } from './request-headers.js';
import type { AppLane } from './version-host.js';

/** Set only while several versions are served, and only for clients that sent no key. */
export const CHOICE_COOKIE = 'whorl-rollout';
const COOKIE_PATTERN = /(?:^|;\s*)whorl-rollout=([0-9a-f]{8})(?:;|$)/;
const COOKIE_ATTRIBUTES = 'Path=/; Max-Age=86400; HttpOnly; SameSite=Lax';
const WHOLE = 2 ** 32;

/** What a request is chosen by. */
export interface Choice {
  /** See `VersionSample`: the same for one client as long as the same versions are served. */
  group: number;
  /** From 0 to below 100: where it stands among the shares. */
  position: number;
  /** For the answer, so that the client stays where it is when its address changes; null: it has one, or a key of its own. */
  setCookie: string | null;
}

/**
 * A channel while it serves several versions. Clients stand in an order that stays the same while shares change, the newest version gets its end of
 * it: who has come to the new version stays there while its share grows. The order is another one for each new version, so that it is not always
 * the same clients who try what is new.
 */
export class Split {
  readonly samples: ChannelSamples;
  private readonly salt: string;
  private readonly keyHeader: string | null;

  /** @param before of the same channel, whose counts go on when the new version is the same */
  constructor({ app, channel, serve, keyHeader }: AppLane, before: Split | null) {
    this.salt = `${app}/${channel}/${serve.at(-1)!.version}/`;
    this.keyHeader = keyHeader?.toLowerCase() ?? null;
    this.samples = before?.salt === this.salt ? before.samples : new ChannelSamples();
  }

  /**
   * Chooses for a request: by the header field that the app names, else by the cookie, else by the client's address, which is the same by
   * whatever node the request came.
   */
  choose({ headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>, clientHost = toClientHost(socket.remoteAddress)): Choice {
    const named = this.keyHeader === null ? undefined : headers[this.keyHeader];
    if (named !== undefined && named.length > 0) return this.at(`key/${String(named)}`, null);
    const known = headers.cookie === undefined ? null : COOKIE_PATTERN.exec(headers.cookie);
    if (known) return this.at(`client/${known[1]}`, null);
    const client = hash32(clientHost).toString(16).padStart(8, '0');
    return this.at(`client/${client}`, `${CHOICE_COOKIE}=${client}; ${COOKIE_ATTRIBUTES}`);
  }

  private at(key: string, setCookie: string | null): Choice {
    const at = hash32(this.salt + key) / WHOLE;
    return { group: Math.floor(at * GROUPS), position: at * 100, setCookie };
  }
}
