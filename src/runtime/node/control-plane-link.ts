import { Agent, type Dispatcher } from 'undici';
import type { NodeCredentials } from '#contract/node-identity.js';
import { toControlPlane } from '#platform/tls/peer.js';

const CONNECT_TIMEOUT_MS = 3_000;
const CONNECTIONS = { connections: 16, keepAliveTimeout: 30_000 } as const;

/** How a node reaches its control plane, and as whom. */
export interface ControlPlaneLink {
  /** The one to ask, with or without a path. */
  readonly url: string;
  readonly dispatcher: Dispatcher;
  readonly headers: Readonly<Record<string, string>>;
  /** The one at this URL did not answer: the next call may go to another. */
  failed(url: string): void;
  /** Cuts what is under way. */
  close(): Promise<void>;
}

/** By a token of the API: on one machine, or where something else encrypts. */
export class TokenLink implements ControlPlaneLink {
  readonly url: string;
  readonly dispatcher = new Agent({ connect: { timeout: CONNECT_TIMEOUT_MS }, ...CONNECTIONS });
  readonly headers: Readonly<Record<string, string>>;

  constructor({ url, token }: { url: string; token: string }) {
    this.url = withoutSlash(url);
    this.headers = { authorization: `Bearer ${token}` };
  }

  failed(): void {}

  close(): Promise<void> {
    return this.dispatcher.destroy();
  }
}

/** As nobody yet, to a control plane of this CA. */
export class AnonymousLink implements ControlPlaneLink {
  readonly url: string;
  readonly dispatcher: Agent;
  readonly headers = {};

  constructor(url: string, authority: string) {
    this.url = withoutSlash(url);
    this.dispatcher = new Agent({ connect: { ...toControlPlane({ authorities: [authority] }), timeout: CONNECT_TIMEOUT_MS } });
  }

  failed(): void {}

  close(): Promise<void> {
    return this.dispatcher.destroy();
  }
}

/** By the node's certificate, at any of the control planes. */
export class CertificateLink implements ControlPlaneLink {
  readonly headers = {};
  dispatcher: Agent;
  private readonly before = new Set<Agent>();
  private urls: string[];
  private turn = 0;

  constructor(urls: readonly string[], credentials: NodeCredentials) {
    this.urls = urls.map(withoutSlash);
    this.dispatcher = agentOf(credentials);
  }

  get url(): string {
    return this.urls[this.turn % this.urls.length]!;
  }

  failed(url: string): void {
    // Calls that failed together move on together.
    if (url === this.url) this.turn++;
  }

  /** New connections are made with these; calls that are under way end as they began. */
  change(urls: readonly string[], credentials: NodeCredentials): void {
    this.urls = urls.map(withoutSlash);
    const before = this.dispatcher;
    this.dispatcher = agentOf(credentials);
    this.before.add(before);
    void before.close().finally(() => this.before.delete(before));
  }

  async close(): Promise<void> {
    await Promise.all([this.dispatcher, ...this.before].map((agent) => agent.destroy()));
  }
}

function agentOf(credentials: NodeCredentials): Agent {
  return new Agent({ connect: { ...toControlPlane(credentials), timeout: CONNECT_TIMEOUT_MS }, ...CONNECTIONS });
}

const withoutSlash = (url: string): string => url.replace(/\/+$/, '');
