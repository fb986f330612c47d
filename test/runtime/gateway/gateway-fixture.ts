import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeName } from '#contract/ids.js';
import type { NodeCredentials } from '#contract/node-identity.js';
import type { Route, RouteChanges, RouteNode, WantedChannel } from '#contract/routes.js';
import { Log } from '#platform/log.js';
import { NO_GUEST_SETTINGS } from '#runtime/capability/guest-settings.js';
import { Gateway } from '#runtime/gateway/gateway.js';
import { type Blobs, LIMITS, STAY_LOADED, TestFront } from '../front-fixture.js';
import { TestAuthority } from './test-authority.js';

/** A node with a front and a gateway, in this process: what a client sees, without agents. */
export class TestGatewayNode {
  private readonly sockets = mkdtempSync(join(tmpdir(), 'whorl-gw-'));
  readonly logged: string[] = [];
  readonly wanted: WantedChannel[] = [];
  /** Called when the gateway wants to know what is new. */
  onRefresh: (call: number) => void = (call) => this.gateway.refreshed(call);
  gateway!: Gateway;
  front: TestFront | undefined;
  private stand: Server | undefined;
  port = 0;

  constructor(readonly name: string, private readonly blobs: Blobs) {}

  get gatewayPath(): string {
    return join(this.sockets, 'gateway.sock');
  }

  get relayPath(): string {
    return join(this.sockets, 'relay.sock');
  }

  /** @param listener answers what other nodes hand over, instead of a front */
  async start(credentials: NodeCredentials, listener?: RequestListener): Promise<this> {
    if (listener) {
      this.stand = createServer(listener);
      this.stand.on('checkContinue', listener);
      await new Promise<void>((resolve) => this.stand!.listen({ path: this.relayPath }, resolve));
    }
    const front = await new TestFront(this.blobs, 'shared', LIMITS, STAY_LOADED, 0, NO_GUEST_SETTINGS, this.gatewayPath).listen();
    this.front = front;
    if (!listener) await new Promise<void>((resolve) => front.front.relayServer.listen({ path: this.relayPath }, resolve));
    await this.startGateway(credentials);
    return this;
  }

  async startGateway(credentials: NodeCredentials): Promise<void> {
    this.gateway = new Gateway(
      {
        node: this.name as NodeName, gatewayPath: this.gatewayPath, relayPath: this.relayPath, listen: { host: '127.0.0.1', port: this.port }, routesPath: join(this.sockets, 'routes.json'),
        appDomain: 'localhost', publicPort: 3000, wallMs: 5_000, logLevel: 'debug',
      },
      { refresh: (call) => this.onRefresh(call), wanted: (wanted) => this.wanted.push(wanted) },
      new Log({}, 'debug', (line) => this.logged.push(line)),
    );
    await this.gateway.start();
    this.port = await this.gateway.setCredentials(credentials);
  }

  async stop(): Promise<void> {
    await this.gateway.close(200);
    await this.front?.close();
    this.stand?.closeAllConnections();
    this.stand?.close();
    rmSync(this.sockets, { recursive: true, force: true });
  }
}

/** Several such nodes, and the table that they all have. */
export class TestGateways {
  readonly authority = new TestAuthority();
  readonly nodes: TestGatewayNode[] = [];
  private revision = 0;

  constructor(private readonly blobs: Blobs) {}

  async add(name: string, listener?: RequestListener, credentials = this.authority.credentials(name)): Promise<TestGatewayNode> {
    const node = await new TestGatewayNode(name, this.blobs).start(credentials, listener);
    this.nodes.push(node);
    return node;
  }

  nodesOf(lost: readonly TestGatewayNode[] = []): RouteNode[] {
    return this.nodes.map((node) => ({ node: node.name as NodeName, gateway: { host: '127.0.0.1', port: node.port }, state: lost.includes(node) ? 'lost' : 'live' }));
  }

  /** Tells every gateway, or the given ones, where an app is. */
  tell(app: string, replicas: readonly { node: string; generation: number; leaving?: boolean }[], { to = this.nodes, ...more }: Partial<Route> & { to?: readonly TestGatewayNode[] } = {}): void {
    const route = { app, channel: 'production', generation: 1, hosts: [`${app}.localhost`], isServed: true, replicas, ...more } as Route;
    const changes: RouteChanges = { revision: String(++this.revision), isWhole: this.revision === 1, nodes: this.nodesOf(), routes: [route], gone: [] };
    for (const node of to) node.gateway.take(changes);
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.splice(0).map((node) => node.stop()));
  }
}
