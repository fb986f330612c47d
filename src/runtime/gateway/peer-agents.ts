import { Agent, request } from 'node:https';
import type { NodeName } from '#contract/ids.js';
import type { RouteNode } from '#contract/routes.js';
import type { NodeCredentials } from '#contract/node-identity.js';
import { toNode } from '#platform/tls/peer.js';
import type { Open } from '#runtime/trigger/relay/exchange.js';
import { overHttp } from '#runtime/trigger/relay/http-outbound.js';

/** Answered by a gateway itself; no target of a client's begins so. */
export const PING_PATH = 'whorl:ping';
const CONNECT_TIMEOUT_MS = 1_500;
/** Shorter than the other side's patience, so that it is always this one that closes a connection without use. */
const IDLE_MS = 20_000;
const NAME = 'peer';
/** A node with requests of ours is looked after so often: a machine that is gone does not say so. */
const PING_EVERY_MS = 2_000;
const PING_TIMEOUT_MS = 3_000;

class Peer {
  underWay = 0;
  private pings: NodeJS.Timeout | undefined;
  private readonly agent: Agent;

  constructor(readonly address: string, private readonly options: Record<string, unknown>, private readonly onDead: () => void) {
    this.agent = new Agent({ keepAlive: true, scheduling: 'lifo', timeout: IDLE_MS, maxFreeSockets: 256, ...options });
    // All of its connections are alike: Node would name them by all their options, keys and certificates included, for each request.
    this.agent.getName = () => NAME;
  }

  get open(): Open {
    const { agent } = this;
    return overHttp({
      begin: (head) => {
        const upstream = request({ ...head, agent });
        upstream.once('socket', (socket) => {
          // The idle time of the agent is not for requests under way.
          if (upstream.reusedSocket) return void socket.setTimeout(0);
          socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.connecting && socket.destroy(new Error(`no connection within ${CONNECT_TIMEOUT_MS} ms`)));
          socket.once('secureConnect', () => socket.setTimeout(0));
        });
        this.enter();
        upstream.once('close', () => this.leave());
        return upstream;
      },
      connected: 'secureConnect',
      asksToProceed: true,
    });
  }

  /** What is under way ends; nothing new begins. */
  retire(): void {
    const { agent } = this;
    const look = setInterval(() => {
      if (this.underWay > 0) return;
      clearInterval(look);
      this.destroy();
    }, 1_000).unref();
    for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }

  destroy(): void {
    clearInterval(this.pings);
    this.agent.destroy();
  }

  private enter(): void {
    this.underWay++;
    this.pings ??= setInterval(() => this.ping(), PING_EVERY_MS).unref();
  }

  private leave(): void {
    if (--this.underWay > 0) return;
    clearInterval(this.pings);
    this.pings = undefined;
  }

  private ping(): void {
    const asked = request({ ...this.options, agent: false, method: 'GET', path: PING_PATH, headers: { host: 'whorl' }, timeout: PING_TIMEOUT_MS }, (answer) => answer.resume());
    asked.on('timeout', () => asked.destroy(new Error('no answer')));
    asked.on('error', () => {
      // It takes no connection: what is under way there is not answered any more.
      this.destroy();
      this.onDead();
    });
    asked.end();
  }
}

/** Connections to the gateways of other nodes, kept and used again. */
export class PeerAgents {
  private readonly peers = new Map<NodeName, Peer>();
  private credentials: NodeCredentials | undefined;

  /** Whether other nodes can be asked at all. */
  get isReady(): boolean {
    return this.credentials !== undefined;
  }

  /** New connections are made with these; the ones that are open end when what is under way on them has, those to removed nodes at once. */
  setCredentials(credentials: NodeCredentials): void {
    this.credentials = credentials;
    for (const [node, peer] of this.peers) {
      this.peers.delete(node);
      if (credentials.denied.some((each) => each.node === node)) peer.destroy();
      else peer.retire();
    }
  }

  /** To be called when `isReady`. */
  to({ node, gateway: { host, port } }: RouteNode): Open {
    const address = `${host} ${port}`;
    let peer = this.peers.get(node);
    if (peer?.address !== address) {
      peer?.retire();
      const made = new Peer(address, { host, port, servername: '', ...toNode(this.credentials!, node) }, () => {
        if (this.peers.get(node) === made) this.peers.delete(node);
      });
      peer = made;
      this.peers.set(node, made);
    }
    return peer.open;
  }

  close(): void {
    for (const peer of this.peers.values()) peer.destroy();
    this.peers.clear();
  }
}
