import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoreRequests as Requests } from '#contract/store-request.js';
import { Log } from '#platform/log.js';
import { perform } from '#runtime/node/store-operations.js';
import { StoreRequests } from '#runtime/node/store-requests.js';
import type { SimulatedNode } from './simulated-node.js';

/** Does what a node is asked about stores, over the API, in this process. */
export class StoreNode {
  readonly stateDir = mkdtempSync(join(tmpdir(), 'whorl-stores-'));
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>;

  constructor(node: SimulatedNode) {
    const requests = new StoreRequests({
      next: async (waitS, signal) => {
        const response = await node.request('GET', `store-requests?wait=${waitS}`, undefined, signal);
        return ((await response.json()) as Requests).requests;
      },
      answer: async (id, answer) => {
        const { status } = await node.request('POST', `store-requests/${id}`, answer);
        if (status !== 204) throw new Error(`answer: ${status}`);
      },
      process: { run: ({ operation, ...place }) => perform(operation, place), stop: () => {} },
      stateDir: this.stateDir,
      sqliteBytes: 2 ** 20,
      log: new Log({ process: 'node' }, 'error'),
    });
    this.running = requests.run(this.stopping.signal);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
    rmSync(this.stateDir, { recursive: true, force: true });
  }
}
