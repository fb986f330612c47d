import { isIP } from 'node:net';
import { getCACertificates } from 'node:tls';
import { Agent, type Dispatcher, EnvHttpProxyAgent } from 'undici';
import { WhorlError } from '#contract/errors.js';
import { isAllowedAddress } from '#platform/http/reachable-address.js';
import { checkedLookup } from './source-address.js';

/** What an operator says about the way to other registries. */
export interface ReachOptions {
  /** All hosts may have private addresses. */
  allowPrivate: boolean;
  /** These hosts (`host` or `host:port`) may. */
  privateHosts: readonly string[];
  /** Origins (`http://host:port`, `https://host`) that may be spoken to in clear, or whatever their certificate says; they may be private too. */
  insecureOrigins: readonly string[];
  /** PEM of roots that are trusted besides those that Node trusts. */
  ca: string | undefined;
  /** URL of a proxy for everything but `noProxy`. */
  proxy: string | undefined;
  /** As in NO_PROXY: hosts, domains, ports, separated by commas. */
  noProxy: string;
}

/** To one origin; the others wait. What bounds the layers of images that are fetched side by side. */
const CONNECTIONS = 6;
const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 30_000;

/**
 * Decides by URL whether a request may be sent, and over which connections. Names are resolved once, when a connection is made, and the
 * address that was checked is the one that is connected to. Through a proxy it is the proxy that resolves names.
 */
export class Dispatchers {
  private readonly privateHosts: ReadonlySet<string>;
  private readonly insecureOrigins: ReadonlySet<string>;
  private readonly opened = new Map<string, Dispatcher>();

  constructor(private readonly options: ReachOptions) {
    this.insecureOrigins = new Set(options.insecureOrigins.map((origin) => new URL(origin).origin));
    this.privateHosts = new Set([
      ...options.privateHosts.map((host) => new URL(`https://${host}`).host),
      ...[...this.insecureOrigins].map((origin) => new URL(origin).host),
    ]);
  }

  /** Where a registry is spoken to: https unless the operator lists its http origin. */
  originOf(host: string): URL {
    const secure = new URL(`https://${host === 'docker.io' ? 'registry-1.docker.io' : host}`);
    const inClear = new URL(`http://${host}`);
    return this.insecureOrigins.has(inClear.origin) && !this.insecureOrigins.has(secure.origin) ? inClear : secure;
  }

  /** Throws REGISTRY_IMAGE_REFUSED for a URL that may not be asked. */
  of(url: URL): Dispatcher {
    const isListed = this.insecureOrigins.has(url.origin);
    if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new WhorlError('REGISTRY_IMAGE_REFUSED', `${url.origin} is not spoken to by http(s)`);
    if (url.protocol === 'http:' && !isListed) throw new WhorlError('REGISTRY_IMAGE_REFUSED', `${url.origin} is not encrypted, and not listed in WHORL_REGISTRY_INSECURE_ORIGINS`);
    const allowPrivate = this.options.allowPrivate || this.privateHosts.has(url.host);
    // Addresses in URLs are not looked up, so they are checked here.
    const address = url.hostname.replace(/^\[|\]$/g, '');
    if (isIP(address) && !isAllowedAddress(address, allowPrivate)) throw new WhorlError('REGISTRY_IMAGE_REFUSED', `${address} is an address that may not be fetched from`);
    // Nor are names that a proxy would look up; this one is its own machine (RFC 6761 §6.3).
    if (this.options.proxy !== undefined && /(?:^|\.)localhost\.?$/.test(address) && !allowPrivate) throw new WhorlError('REGISTRY_IMAGE_REFUSED', `${address} is a name that may not be fetched from`);
    return this.open(allowPrivate, isListed && url.protocol === 'https:');
  }

  async close(): Promise<void> {
    await Promise.all([...this.opened.values()].map((dispatcher) => dispatcher.destroy()));
  }

  private open(allowPrivate: boolean, anyCertificate: boolean): Dispatcher {
    const key = `${allowPrivate} ${anyCertificate}`;
    const known = this.opened.get(key);
    if (known) return known;
    const { ca, proxy, noProxy } = this.options;
    const roots = ca === undefined ? {} : { ca: [...getCACertificates('default'), ca] };
    const tls = { ...roots, ...(anyCertificate && { rejectUnauthorized: false }) };
    const agent = {
      connections: CONNECTIONS, headersTimeout: IDLE_TIMEOUT_MS, bodyTimeout: IDLE_TIMEOUT_MS, allowH2: false,
      connect: { ...tls, lookup: checkedLookup(allowPrivate), timeout: CONNECT_TIMEOUT_MS },
    };
    const opened = proxy === undefined ? new Agent(agent) : new EnvHttpProxyAgent({ ...agent, requestTls: tls, proxyTls: roots, httpProxy: proxy, httpsProxy: proxy, noProxy });
    this.opened.set(key, opened);
    return opened;
  }
}
