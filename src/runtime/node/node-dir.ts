import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { WhorlError } from '#contract/errors.js';
import { FileLock } from '#platform/file-lock.js';

/**
 * The folder of a node, held by one process at a time:
 *
 *   <dir>/
 *   ├── lock
 *   ├── start-count      how often the node was started
 *   ├── identity/        the node's key, its certificate and what it believes
 *   ├── snapshot.json    the newest assignments
 *   ├── routes.json      which nodes have which hosts, for the gateway
 *   ├── blobs/           artifacts by digest: can be fetched again
 *   ├── journals/        usage and logs not shipped yet
 *   ├── state/           the apps' own data
 *   └── run/             sockets of the running node
 */
export class NodeDir {
  readonly startCount: string;
  readonly identity: string;
  readonly snapshot: string;
  readonly routes: string;
  readonly blobs: string;
  readonly journals: string;
  readonly state: string;
  readonly sockets: string;

  private constructor(readonly path: string, private readonly lock: FileLock) {
    const dir = path;
    this.startCount = join(dir, 'start-count');
    this.identity = join(dir, 'identity');
    this.snapshot = join(dir, 'snapshot.json');
    this.routes = join(dir, 'routes.json');
    this.blobs = join(dir, 'blobs');
    this.journals = join(dir, 'journals');
    this.state = join(dir, 'state');
    this.sockets = join(dir, 'run');
    for (const folder of [this.blobs, this.journals, this.state]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Waits for the lock for a moment, since a predecessor may just be ending. Throws NODE_DIR_UNUSABLE. */
  static async open(dir: string, patienceMs: number): Promise<NodeDir> {
    try {
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      accessSync(dir, constants.W_OK);
      return new NodeDir(dir, await FileLock.acquire(join(dir, 'lock'), patienceMs));
    } catch (error) {
      throw new WhorlError('NODE_DIR_UNUSABLE', `${dir}: ${(error as Error).message}`, { cause: error });
    }
  }

  close(): void {
    this.lock.release();
  }
}
