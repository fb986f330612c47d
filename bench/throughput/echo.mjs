// 100 MB sent and got back at the same time, over one connection: MB/s and what the server's memory grows by.
import { connect } from 'node:net';
import { median } from '../lib/statistics.mjs';
import { rssBytes } from './processes.mjs';

const BODY_BYTES = 100_000_000;
const PIECE = Buffer.alloc(64 * 1024, 'w');
const END = Buffer.from('0\r\n\r\n');
const SAMPLE_MS = 25;
const ROUNDS = 5;

/** MB/s of one echo. Throws when less comes back than was sent. */
async function echo({ port, host }) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  const startMs = performance.now();
  let received = 0;
  let tail = Buffer.alloc(0);
  const done = new Promise((resolve, reject) => {
    socket.on('data', (chunk) => {
      received += chunk.length;
      tail = chunk.length >= END.length ? chunk.subarray(-END.length) : Buffer.concat([tail, chunk]).subarray(-END.length);
      if (received > BODY_BYTES && tail.equals(END)) resolve();
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error(`the echo ended after ${received} bytes`)));
  });
  socket.write(`POST /echo HTTP/1.1\r\nhost: ${host}\r\ncontent-length: ${BODY_BYTES}\r\n\r\n`);
  const send = async () => {
    for (let left = BODY_BYTES; left > 0; left -= PIECE.length) {
      if (!socket.write(left < PIECE.length ? PIECE.subarray(0, left) : PIECE)) await new Promise((resolve) => socket.once('drain', resolve));
    }
  };
  await Promise.all([done, Promise.race([send(), done])]);
  socket.removeAllListeners('close').on('error', () => {}).destroy();
  return BODY_BYTES / 1e3 / (performance.now() - startMs);
}

async function watched(server) {
  const pids = server.pids();
  const before = rssBytes(pids);
  let peak = before;
  const timer = setInterval(() => { peak = Math.max(peak, rssBytes(pids)); }, SAMPLE_MS);
  try {
    return { perSecond: await echo(server), grownBytes: peak - before };
  } finally {
    clearInterval(timer);
  }
}

/** Figures of `servers` by name, which take turns with `bare`; the first of each are no part of them. */
export async function measureEcho({ bare, servers, say }) {
  const seen = Object.fromEntries(Object.keys(servers).map((name) => [name, []]));
  const bares = [];
  for (let round = 0; round <= ROUNDS; round++) {
    say(`echo of 100 MB: round ${round + 1} of ${ROUNDS + 1}`);
    for (const [name, server] of Object.entries(servers)) {
      const before = await watched(bare);
      const own = await watched(server);
      const after = await watched(bare);
      if (round === 0) continue;
      bares.push(before, after);
      seen[name].push({ ...own, ratio: (own.perSecond * 2) / (before.perSecond + after.perSecond) });
    }
  }
  const figures = (name, rounds) => ({
    name, mbPerSecond: median(rounds.map(({ perSecond }) => perSecond)), ratio: median(rounds.map(({ ratio = 1 }) => ratio)),
    grownBytes: Math.max(...rounds.map(({ grownBytes }) => grownBytes)),
  });
  return [figures('bare node:http', bares), ...Object.entries(seen).map(([name, rounds]) => figures(name, rounds))];
}
