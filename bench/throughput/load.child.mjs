// The load generator's process. Gets { port, request, connections, warmUpMs, measureMs } from its parent, and answers with what it saw.
import { Connection } from './connection.mjs';

process.on('message', (order) => void run(order).then((seen) => process.send(seen)));

/** A server that still owes an answer so long after the end is not waited for. */
const GRACE_MS = 1_500;
const RETRY_MS = 10;

async function run({ port, request, connections, warmUpMs, measureMs }) {
  const bytes = Buffer.from(request);
  const startMs = performance.now() + warmUpMs;
  const endMs = startMs + measureMs;
  const latencies = [];
  let errors = 0;
  let firstError = '';
  const cpu = { from: null, to: null };
  const at = (ms, then) => setTimeout(then, ms - performance.now());
  at(startMs, () => { cpu.from = process.cpuUsage(); });
  at(endMs, () => { cpu.to = process.cpuUsage(cpu.from); });
  await Promise.all(Array.from({ length: connections }, () => new Promise((resolve) => {
    let connection;
    const fail = (error) => {
      errors++;
      firstError ||= error.message;
    };
    const late = at(endMs + GRACE_MS, () => {
      fail(new Error('no answer in time'));
      connection.close();
      resolve();
    });
    const end = () => {
      clearTimeout(late);
      resolve();
    };
    const open = () => {
      connection = new Connection({
        port, request: bytes,
        onAnswer: (ms) => {
          const now = performance.now();
          if (now >= endMs) end();
          else if (now >= startMs) latencies.push(ms);
          return now < endMs;
        },
        onError: (error) => {
          fail(error);
          if (performance.now() < endMs) setTimeout(open, RETRY_MS);
          else end();
        },
      });
    };
    open();
  })));
  return { latencies: Float64Array.from(latencies), errors, firstError, cpuMs: cpu.to ? (cpu.to.user + cpu.to.system) / 1e3 : 0 };
}
