// The load generator: a few processes of its own, so that it is never what limits.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('./load.child.mjs', import.meta.url));

/** A quantile of sorted values. */
export const quantile = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;

/** The bytes of one HTTP/1.1 request. */
export function requestBytes({ method = 'GET', path = '/', host, headers = {}, body = '' }) {
  const lines = Object.entries({ host, ...headers, ...(body.length > 0 && { 'content-length': body.length }) }).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`), Buffer.from(body)]);
}

export class Load {
  constructor(processes) {
    this.children = Array.from({ length: processes }, () => fork(CHILD, { serialization: 'advanced' }));
  }

  /**
   * Drives `connections` closed loops, spread over the processes. `onMeasure('start' | 'end')` is called as the measured time begins and
   * ends. Requests per second, quantiles in ms, and the generator's own CPU time.
   */
  async run({ port, request, connections, warmUpMs = 150, measureMs, onMeasure = () => {} }) {
    const used = this.children.slice(0, connections);
    const share = (i) => Math.floor(connections / used.length) + (i < connections % used.length ? 1 : 0);
    const timers = [setTimeout(onMeasure, warmUpMs, 'start'), setTimeout(onMeasure, warmUpMs + measureMs, 'end')];
    const seen = await Promise.all(used.map((child, i) => new Promise((resolve, reject) => {
      const onExit = (code) => reject(new Error(`the load generator ended with ${code}`));
      child.once('exit', onExit);
      child.once('message', (answer) => { child.off('exit', onExit); resolve(answer); });
      child.send({ port, request, connections: share(i), warmUpMs, measureMs });
    })));
    for (const timer of timers) clearTimeout(timer);
    const latencies = Float64Array.from(seen.flatMap(({ latencies: each }) => [...each])).sort();
    return {
      requests: latencies.length,
      perSecond: latencies.length / (measureMs / 1e3),
      p50: quantile(latencies, 0.5),
      p99: quantile(latencies, 0.99),
      errors: seen.reduce((sum, { errors }) => sum + errors, 0),
      firstError: seen.map(({ firstError }) => firstError).find(Boolean) ?? '',
      loadCpuMs: seen.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
    };
  }

  stop() {
    for (const child of this.children) child.kill();
  }
}
