// `node bench/outbound.mjs [calls]`: what one outbound HTTP call of a guest to loopback takes, beside the bare call of `undici`. Needs
// `npm run build` before.
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco';
import { Agent } from 'undici';
import { Guest, prepare } from './lib/guest.mjs';
import { quantile } from './lib/statistics.mjs';

const TARGET_US = 150;
const CALLS = 3_000;
const WARM_UP = 0.3;
/** Calls of one row before the other has its turn. */
const TURN = 50;
const BODY_BYTES = 100;

const WIT = `
  package fermyon:spin;
  interface http-types {
    enum method { get, post, put, delete, patch, head, options }
    record request { method: method, uri: string, headers: list<tuple<string, string>>, params: list<tuple<string, string>>, body: option<list<u8>> }
    record response { status: u16, headers: option<list<tuple<string, string>>>, body: option<list<u8>> }
    enum http-error { success, destination-not-allowed, invalid-url, request-error, runtime-error, too-many-requests }
  }
  interface http {
    use http-types.{request, response, http-error};
    send-request: func(req: request) -> result<response, http-error>;
  }
  world bench {
    import http;
    export send: func(uri: string) -> u32;
  }`;

/** Sends a GET and gives the status; 0 for an error. Memory is used again for each call. */
const WAT = `(module
  (import "fermyon:spin/http" "send-request" (func $send (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (memory (export "memory") 2)
  (global $next (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get $size)))
    (local.get $at))
  (func (export "send") (param $uri i32) (param $length i32) (result i32)
    (call $send (i32.const 0) (local.get $uri) (local.get $length) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
    (global.set $next (i32.const 4096))
    (if (result i32) (i32.load8_u (i32.const 64)) (then (i32.const 0)) (else (i32.load16_u (i32.const 68))))))`;

const SERVER = `
  const { createServer } = require('node:http');
  const body = Buffer.alloc(${BODY_BYTES}, 'x');
  const server = createServer((request, response) => response.end(body));
  server.listen(0, '127.0.0.1', () => require('node:worker_threads').parentPort.postMessage(server.address().port));`;

async function startServer() {
  const worker = new Worker(SERVER, { eval: true });
  const port = await new Promise((resolve) => { worker.once('message', resolve); });
  return { url: `http://127.0.0.1:${port}/`, stop: () => worker.terminate() };
}

async function makeGuest(origin) {
  const bytes = await componentNew(await componentEmbed({ binary: await parse(WAT), witSource: WIT, world: 'bench' }), []);
  const guest = new Guest(prepare(bytes).program);
  Object.assign(guest.state.grant, { allowedOutboundHosts: [origin], allowPrivateHosts: true, limits: { ...guest.state.grant.limits, outboundRequests: Infinity } });
  return guest;
}


/** Times of calls, one after the other on a kept connection; the rows take turns. */
export async function outbound({ calls = CALLS } = {}) {
  const server = await startServer();
  const guest = await makeGuest(server.url);
  const agent = new Agent({ allowH2: false });
  const bare = async () => {
    const { statusCode, body } = await agent.request({ origin: server.url, path: '/', method: 'GET' });
    await body.arrayBuffer();
    return statusCode;
  };
  const rows = [
    { what: 'bare undici', run: bare, times: [] },
    { what: 'fermyon:spin/http of a guest', run: () => guest.slot.call(null, 'send', [server.url]), times: [] },
  ];
  for (let done = 0; done < calls * (1 + WARM_UP); done += TURN) {
    for (const { run, times } of rows) {
      for (let i = 0; i < TURN; i++) {
        const began = performance.now();
        const status = await run();
        const took = performance.now() - began;
        if (status !== 200) throw new Error(`status ${status}`);
        if (done >= calls * WARM_UP) times.push(took * 1e3);
      }
    }
  }
  await agent.close();
  guest.release();
  guest.close();
  await server.stop();
  const figures = rows.map(({ what, times }) => ({ what, p50Us: quantile(times, 0.5), p99Us: quantile(times, 0.99) }));
  const value = Math.round(figures[1].p50Us - figures[0].p50Us);
  return {
    rows: [{
      what: 'outbound: one HTTP call of a guest to loopback, added to bare undici, p50 us', value, target: `< ${TARGET_US}`, ok: value < TARGET_US,
      note: `${(figures[1].p50Us / figures[0].p50Us).toFixed(2)} times bare's ${Math.round(figures[0].p50Us)} us`,
    }],
    figures,
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(`${cpus().length} x ${cpus()[0].model}, Node ${process.version}, load ${loadavg()[0].toFixed(1)}`);
  const { rows: [row], figures } = await outbound({ calls: Number(process.argv[2] ?? CALLS) });
  for (const { what, p50Us, p99Us } of figures) console.log(`${what.padEnd(32)} p50 ${p50Us.toFixed(0).padStart(6)} us   p99 ${p99Us.toFixed(0).padStart(6)} us`);
  console.log(`added at p50: ${row.value} us (${row.note}); target ${row.target}`);
  process.exit(0);
}
