import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FleetNode } from './harness/fleet.mjs';

/**
 * Clients that do as a load balancer does: they keep connections, and ask a node no more once it has said that the connection is to be closed. Each
 * asks one thing after the other.
 */
export class PoliteClients {
  answered = 0;
  readonly failures: string[] = [];
  /** Nodes that have said so. */
  readonly left = new Set<string>();
  private readonly agent = new Agent({ keepAlive: true });
  private readonly work: Promise<void>[];
  private running = true;

  constructor(private nodes: readonly FleetNode[], private readonly host: string, clients = 8) {
    this.work = Array.from({ length: clients }, (_, index) => this.run(index));
  }

  /** From now on these are asked; all of them. */
  setNodes(nodes: readonly FleetNode[]): void {
    this.nodes = nodes;
    this.left.clear();
  }

  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.work);
    this.agent.destroy();
  }

  private async run(turn: number): Promise<void> {
    while (this.running) {
      const open = this.nodes.filter(({ name }) => !this.left.has(name));
      const node = open[turn++ % open.length];
      if (node) await this.ask(node);
      await sleep(5);
    }
  }

  private ask({ name, address: host, port }: FleetNode): Promise<void> {
    return new Promise((resolve) => {
      const fail = (reason: string): void => {
        this.failures.push(`${name}: ${reason}`);
        resolve();
      };
      const request = get({ host, port, agent: this.agent, headers: { host: this.host }, timeout: 20_000 }, (response) => {
        if (response.headers.connection === 'close') this.left.add(name);
        response.resume().once('end', () => {
          if (response.statusCode !== 200) return fail(`status ${response.statusCode}`);
          this.answered++;
          resolve();
        }).once('error', (error) => fail(error.message));
      });
      request.once('error', (error) => fail(error.message)).once('timeout', () => request.destroy(new Error('no answer in time')));
    });
  }
}

/** The status that a node answers for a host. */
export function statusOf({ address: host, port }: Pick<FleetNode, 'address' | 'port'>, hostName: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get({ host, port, headers: { host: hostName } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).once('error', reject);
  });
}
