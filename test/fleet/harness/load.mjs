// A load on a fleet, in a process of its own, and what came of each request.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('load.child.mjs', import.meta.url));

export class Load {
  /** `{startMs, endMs, node, app, status, text, tries, user, ms}`: when by the wall clock, the node asked, what was answered (`status` 0: nothing; `text` says why). */
  rows = [];
  idles = new Map();

  /**
   * Begins: `rate` requests/s in all, in turn to the `targets` (`{node, address, port}`), for the `apps`, from so many `users` who name themselves in the field `x-user`.
   */
  static begin({ rate, targets, apps, users = 1000, paths = ['/'], headers = {}, domain = 'localhost', timeoutMs = 30_000 }) {
    const load = new Load();
    load.child = fork(CHILD, [], { execArgv: [], serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    load.over = new Promise((resolve, reject) => {
      load.child.on('message', (message) => {
        if (message.kind === 'rows') for (const row of message.rows) load.rows.push(toRow(row));
        if (message.kind === 'over') resolve();
        if (message.kind === 'idle') load.idles.get(message.id)?.();
      });
      load.child.once('exit', (code) => reject(new Error(`the load ended by itself (${code})`)));
    });
    load.over.catch(() => {});
    load.child.send({ kind: 'begin', options: { rate, targets, apps, users, paths, headers, domain, timeoutMs } });
    return load;
  }

  /** Begins no more requests, waits for those under way and answers all of them. */
  async stop() {
    this.child.send({ kind: 'stop' });
    await this.over;
    return this.rows;
  }

  setTargets(targets) { this.tell({ kind: 'targets', targets }); }
  /** Returns when no request is under way at a node. */
  untilIdle(node) {
    const id = this.idles.size + 1;
    const idle = new Promise((resolve) => this.idles.set(id, resolve));
    this.tell({ kind: 'idle', id, node });
    return Promise.race([idle, this.over.catch(() => {})]);
  }
  setRate(rate) { this.tell({ kind: 'rate', rate }); }
  tell(message) { if (this.child.connected) this.child.send(message); }
}

function toRow([startMs, endMs, node, app, status, text, tries, user, ms]) {
  return { startMs, endMs, node, app, status, text, tries, user, ms };
}
