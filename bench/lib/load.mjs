// A small closed-loop HTTP load generator on keep-alive connections, addressed by Host header.
import http from 'node:http';
import { performance } from 'node:perf_hooks';

/**
 * Sends requests from `concurrency` loops until `total` are done or `until` says stop.
 * @returns {Promise<{at: number, ms: number, status: number, body: string}[]>} one row a request; status 0: no answer; `at`: ms on
 *   performance.now() when the answer was complete
 */
export async function load({ port, host, path = '/', concurrency, total = Infinity, until = () => false, timeoutMs = 60_000, onResult }) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: concurrency });
  const rows = [];
  let sent = 0;
  const loop = async () => {
    while (sent < total && !until()) {
      sent++;
      const row = await get({ agent, port, host, path, timeoutMs });
      rows.push(row);
      onResult?.(row);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, loop));
  agent.destroy();
  return rows;
}

export function get({ agent, port, host, path, timeoutMs }) {
  const start = performance.now();
  return new Promise((resolve) => {
    const done = (status, body) => resolve({ status, body, at: performance.now(), ms: performance.now() - start });
    const request = http.get({ agent, port, host: '127.0.0.1', path, headers: { host }, timeout: timeoutMs }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => done(response.statusCode, Buffer.concat(chunks).toString()));
      response.on('error', (error) => done(0, String(error)));
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', (error) => done(0, String(error)));
  });
}

/** @returns {{p50: number, p99: number, max: number}} in the unit of the values */
export function percentiles(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}
