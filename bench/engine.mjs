// `node bench/engine.mjs [requests]`: what a fresh state costs for each request, and what the checks and cards in the code cost, without
// HTTP. All rows of one component take turns, so that they meet the same machine. Needs `npm run build` and the examples before.
import { readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { Guest, prepare } from './lib/guest.mjs';
import { quantile } from './lib/statistics.mjs';

const requests = Number(process.argv[2] ?? 2_000);
const example = (name) => new Uint8Array(readFileSync(new URL(`../examples/${name}/${name}.wasm`, import.meta.url)));
const WARM_UP = 0.2;
/** Requests of one row before the next has its turn. */
const TURN = 25;

const us = (ms) => (ms * 1e3).toFixed(1);

async function measure(rows, total, request) {
  for (const row of rows) Object.assign(row, { guest: new Guest(row.prepared.program), times: { reset: [], instantiate: [], handle: [] } });
  for (let done = 0; done < total * (1 + WARM_UP); done += TURN) {
    for (const { guest, times, every = 1 } of rows) {
      for (let i = 0; i < TURN / every; i++) {
        guest.release();
        const began = performance.now();
        guest.reset();
        const wasReset = performance.now();
        guest.instantiate();
        const wasMade = performance.now();
        const status = await guest.handle(request);
        const answered = performance.now();
        if (status !== 200) throw new Error(`status ${status}`);
        if (done < total * WARM_UP) continue;
        times.reset.push(wasReset - began);
        times.instantiate.push(wasMade - wasReset);
        times.handle.push(answered - wasMade);
      }
      await new Promise(setImmediate);
    }
  }
  for (const { guest } of rows) guest.close();
}

async function resets(name, bytes, total) {
  const rows = [
    { label: 'in place, cards', prepared: prepare(bytes) },
    { label: 'in place, whole memory', prepared: prepare(bytes, { cards: false }) },
    { label: 'new instances', prepared: prepare(bytes, { cards: false, reset: 'full' }), every: 5 },
  ];
  await measure(rows, total, {});
  console.log(`\n${name} | reset p50 | p99 | instantiate p50 | p99 | handle p50 | p99 | (us)`);
  for (const { label, times, prepared } of rows) {
    const figures = Object.values(times).flatMap((values) => [us(quantile(values, 0.5)), us(quantile(values, 0.99))]);
    console.log(`  ${label.padEnd(24)} | ${figures.join(' | ')} | ${prepared.program.resetMode.mode}`);
  }
  const { linkMs, rewriteMs, compileMs, bytes: size } = rows[0].prepared;
  console.log(`  deploy: link ${linkMs.toFixed(0)} ms, rewrite ${rewriteMs.toFixed(0)} ms, compile ${compileMs.toFixed(0)} ms; ${(bytes.length / 1e6).toFixed(1)} MB to ${(size / 1e6).toFixed(1)} MB`);
}

/**
 * The guest's own work with and without what the rewriter adds. One instance answers a whole turn: putting back a memory without cards
 * empties the caches, which would count for the cards.
 */
async function overheads(name, bytes, total, request) {
  const rows = [
    { label: 'neither', prepared: prepare(bytes, { checks: false, cards: false }) },
    { label: 'deadline checks', prepared: prepare(bytes, { cards: false }) },
    { label: 'cards', prepared: prepare(bytes, { checks: false }) },
    { label: 'deadline checks + cards', prepared: prepare(bytes) },
  ];
  for (const row of rows) Object.assign(row, { guest: new Guest(row.prepared.program), times: [] });
  for (let done = 0; done < total * (1 + WARM_UP); done += TURN) {
    for (const { guest, times } of rows) {
      guest.release();
      guest.reset();
      guest.instantiate();
      for (let i = 0; i <= TURN; i++) {
        const began = performance.now();
        await guest.handle(request);
        if (i > 0 && done >= total * WARM_UP) times.push(performance.now() - began);
      }
      await new Promise(setImmediate);
    }
  }
  const [base, fast] = [0.5, 0.1].map((part) => quantile(rows[0].times, part));
  console.log(`\n${name} | p10 us | ratio | p50 us | ratio`);
  for (const { label, times, guest } of rows) {
    const [p50, p10] = [quantile(times, 0.5), quantile(times, 0.1)];
    console.log(`  ${label.padEnd(24)} | ${us(p10)} | ${(p10 / fast).toFixed(3)} | ${us(p50)} | ${(p50 / base).toFixed(3)}`);
    guest.close();
  }
}

console.log(`${cpus().length} x ${cpus()[0].model}, Node ${process.version}, load ${loadavg()[0].toFixed(1)}`);
const [tiny, hello] = [example('tiny-wat'), example('hello-js')];
await resets('tiny-wat', tiny, requests * 10);
await resets('hello-js', hello, requests);
const manyHeaders = { path: '/headers', headers: Array.from({ length: 200 }, (_, i) => [`x-header-${i}`, `value ${i}`]) };
await overheads('hello-js /headers, 200 of them', hello, requests, manyHeaders);
process.exit(0);
