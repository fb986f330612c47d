import { isIP } from 'node:net';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Agent, request } from 'undici';
import { WhorlError } from '#contract/errors.js';
import type { ControlConfig } from '#platform/config.js';
import { checkedLookup, isAllowedAddress } from '#platform/http/reachable-address.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 64 * 1024;
const CONNECTIONS = 4;

export interface WebhookAnswer {
  status: number;
  /** What came of the body, up to MAX_ANSWER_BYTES. */
  body: string;
}

/** Sends deliveries to where the operator lets them go. */
@Injectable()
export class WebhookClient implements OnApplicationShutdown {
  private readonly agents: Record<'public' | 'private', Agent>;
  private readonly privateHosts: ReadonlySet<string>;

  constructor(@Inject(CONTROL_CONFIG) { WHORL_WEBHOOK_PRIVATE_HOSTS: hosts }: ControlConfig) {
    this.agents = { public: agentFor(false), private: agentFor(true) };
    this.privateHosts = new Set((hosts ?? []).map((host) => new URL(`http://${host}`).host));
  }

  /**
   * Throws API_WEBHOOK_TARGET_REFUSED for a URL that nothing may be sent to. Names are looked up when they are connected to: what they lead to is
   * checked then.
   */
  check(text: string): URL {
    const refuse = (why: string): never => {
      throw new WhorlError('API_WEBHOOK_TARGET_REFUSED', `${why}`);
    };
    const url = new URL(text);
    const isListed = this.isListed(url);
    if (url.username !== '' || url.password !== '') refuse('the URL has a user or a password: receivers know deliveries by their signature');
    if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isListed)) refuse(`${url.origin} is not spoken to by https, and not listed in WHORL_WEBHOOK_PRIVATE_HOSTS`);
    const address = url.hostname.replace(/^\[|\]$/g, '');
    if (isIP(address) && !isAllowedAddress(address, isListed)) refuse(`${address} is an address that nothing may be sent to`);
    return url;
  }

  /** Throws what stood in the way of an answer; redirects are answers. */
  async send(url: URL, headers: Record<string, string>, body: string): Promise<WebhookAnswer> {
    const answer = await request(url, {
      method: 'POST', headers: { 'content-type': 'application/json', 'user-agent': 'whorl', ...headers }, body,
      dispatcher: this.agents[this.isListed(url) ? 'private' : 'public'], signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return { status: answer.statusCode, body: await beginningOf(answer.body) };
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(Object.values(this.agents).map((agent) => agent.destroy()));
  }

  private isListed(url: URL): boolean {
    return this.privateHosts.has(url.host);
  }
}

function agentFor(allowPrivate: boolean): Agent {
  const refuse = (hostname: string, address: string): Error => new WhorlError('API_WEBHOOK_TARGET_REFUSED', `${hostname} is ${address}, an address that nothing may be sent to`);
  return new Agent({ connections: CONNECTIONS, allowH2: false, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS, connect: { lookup: checkedLookup(allowPrivate, refuse), timeout: TIMEOUT_MS } });
}

async function beginningOf(body: AsyncIterable<Buffer> & { destroy(): unknown }): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= MAX_ANSWER_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES).toString();
}
