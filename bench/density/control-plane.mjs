// As much of a control plane as a node needs: hands out assignments and blobs, takes reports and journals, and keeps none of them.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

export const digestOf = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export class ControlPlane {
  blobs = new Map();
  assignments = [];
  revision = 1;
  statuses = [];
  #waiting = [];
  #nextSeq = new Map();
  #server = createServer((request, response) => void this.#answer(request, response));

  async start() {
    await new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  put(bytes) {
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return digest;
  }

  assign(assignments) {
    this.assignments = assignments;
    this.revision++;
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Until the node has reported `holds` of every assignment. Throws when one has failed, or after `timeoutMs`. */
  async until(holds, timeoutMs) {
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      const failed = this.statuses.flatMap((status) => status.failed)[0];
      if (failed) throw new Error(`${failed.code}: ${failed.message}`);
      if (this.statuses.length === this.assignments.length && this.statuses.every(holds)) return;
      if (performance.now() > endMs) throw new Error(`${this.statuses.filter(holds).length} of ${this.assignments.length} after ${timeoutMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  stop() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const url = new URL(request.url, this.url);
    const json = (value) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (url.pathname.endsWith('/assignments')) {
      if (url.searchParams.get('after') === `${this.revision}`) await new Promise((resolve) => { this.#waiting.push(resolve); request.socket.once('close', resolve); });
      return json({ revision: `${this.revision}`, assignments: this.assignments, removed: [] });
    }
    if (url.pathname.endsWith('/report')) {
      this.statuses = JSON.parse(Buffer.concat(chunks)).statuses;
      return response.writeHead(204).end();
    }
    if (url.pathname.endsWith('/journal')) {
      const { journal, entries } = JSON.parse(Buffer.concat(chunks));
      if (entries.length > 0) this.#nextSeq.set(journal, entries.at(-1).seq + 1);
      return json({ nextSeq: this.#nextSeq.get(journal) ?? 1 });
    }
    const blob = this.blobs.get(decodeURIComponent(url.pathname.split('/').at(-1)));
    return blob ? response.writeHead(200).end(blob) : response.writeHead(404).end();
  }
}
