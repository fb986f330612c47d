import { existsSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from '@jest/globals';
import type { HostResolver } from '#engine/run/host.js';
import { EOF, type Headers } from '#runtime/capability/guest.js';
import { incomingRequest02, responseOutparam02 } from '#runtime/capability/http/server-02.js';
import { resolveHost } from '#runtime/capability/table.js';
import { TestExchange, TestGuest } from '../../capability/guest-state.js';
import { Random } from '../../fixtures/random.js';
import { BUDGET_NS, programOf } from '../engine-harness.js';
import { jcoProgram } from './guests.js';
import { JcoHost } from './jco-host.js';

const seed = Number(process.env['ORACLE_SEED'] ?? Date.now() % 2 ** 32);
const REQUESTS = 50;
const ROOT = new URL('../../../', import.meta.url);

interface Request {
  method: string;
  path: string;
  headers: [string, string][];
  body: Buffer;
}

interface Answer {
  status: number;
  headers: Headers;
  body: string;
}

const guests: TestGuest[] = [];
afterAll(() => guests.forEach((guest) => guest.dispose()));

function newGuest(): TestGuest {
  const page = fileURLToPath(new URL('examples/counter-js/assets/index.html', ROOT));
  const guest = new TestGuest({
    keyValueStores: ['default'], variables: new Map([['greeting', 'good day']]),
    files: [{ path: '/assets/index.html', localPath: page, bytes: statSync(page).size }],
  });
  guests.push(guest);
  return guest;
}

function exchangeOf({ method, path, headers, body }: Request): TestExchange {
  const exchange = new TestExchange(method, path, headers);
  if (body.length > 0) exchange.requestBody.write(body);
  exchange.requestBody.end();
  return exchange;
}

/** What the client would see; null: nothing. */
function answerOf({ answer }: TestExchange): Answer | null {
  if (!answer) return null;
  const chunks: Uint8Array[] = [];
  for (let chunk = answer.body.read(65_536); chunk !== EOF && chunk !== null; chunk = answer.body.read(65_536)) chunks.push(chunk);
  return { status: answer.status, headers: [...answer.headers], body: Buffer.concat(chunks).toString('latin1') };
}

async function throughEngine(bytes: Uint8Array): Promise<(request: Request) => Promise<Answer | null>> {
  const guest = newGuest();
  const program = await programOf(bytes, {}, { resolve: resolveHost as HostResolver<unknown> });
  const slot = program.newSlot(guest);
  const iface = program.findExport('wasi:http/incoming-handler@0.2')!;
  return async (request) => {
    slot.reset();
    slot.instantiate(BUDGET_NS);
    slot.setBudget(BUDGET_NS);
    const exchange = exchangeOf(request);
    await slot.call(iface, 'handle', [incomingRequest02(exchange), responseOutparam02(exchange)]);
    const answer = answerOf(exchange);
    guest.next();
    return answer;
  };
}

async function throughJco(bytes: Uint8Array): Promise<(request: Request) => Promise<Answer | null>> {
  const guest = newGuest();
  const instantiate = await jcoProgram(bytes);
  return async (request) => {
    const host = new JcoHost(guest);
    const exchange = exchangeOf(request);
    const { handle } = instantiate(host.imports)['incomingHandler']!;
    await handle!(host.wrap('incoming-request', incomingRequest02(exchange)), host.wrap('response-outparam', responseOutparam02(exchange)));
    const answer = answerOf(exchange);
    guest.next();
    return answer;
  };
}

const TEXT = ['a', 'plain', 'ü', '日本', '%20', '%F0%9F%8C%80', '..', '~', '+', '0'];

function madeUp(random: Random, paths: string[]): Request {
  const method = random.pick(['GET', 'GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS', 'BREW']);
  const query = Array.from({ length: random.below(4) }, () => `${encodeURIComponent(random.pick(TEXT))}=${encodeURIComponent(random.pick(TEXT))}`).join('&');
  const path = random.pick(paths).replace('*', () => encodeURIComponent(random.pick(TEXT))) + (query && `?${query}`);
  const headers = Array.from({ length: random.below(30) }, (_, i): [string, string] => [random.pick(['accept', 'user-agent', 'content-type', `x-${i}`, `x-${i}`]), random.pick(TEXT.slice(0, 2)).repeat(1 + random.below(40))]);
  if (random.below(2) === 0) headers.push(['spin-path-match-name', random.pick(['a', 'b', 'c'])]);
  const body = method === 'GET' || method === 'HEAD' ? Buffer.alloc(0) : Buffer.from(Array.from({ length: random.pick([0, 1, 100, 5_000, 20_000]) }, () => random.below(256)));
  return { method, path, headers, body };
}

describe(`requests to the components of the examples (ORACLE_SEED=${seed})`, () => {
  const cases: [file: string, paths: string[]][] = [
    ['examples/tiny-wat/tiny-wat.wasm', ['/', '/*']],
    ['bench/components/json-rs/json-rs.wasm', ['/', '/*', '/a/*']],
    ['examples/hello-js/hello-js.wasm', ['/', '/hello/*', '/headers', '/echo', '/*']],
    ['examples/counter-js/counter-js.wasm', ['/', '/count/*']],
  ];
  const present = cases.filter(([file]) => existsSync(new URL(file, ROOT)));

  it.each(present)('are answered as in jco: %s', async (file, paths) => {
    const random = new Random(seed);
    const bytes = new Uint8Array(readFileSync(new URL(file, ROOT)));
    const [engine, jco] = [await throughEngine(bytes), await throughJco(bytes)];
    let answered = 0;
    for (let i = 0; i < REQUESTS; i++) {
      const request = madeUp(random, paths);
      const expected = await jco(request);
      if (expected) answered++;
      try {
        expect(await engine(request)).toEqual(expected);
      } catch (cause) {
        throw new Error(`ORACLE_SEED=${seed}, request ${i}: ${request.method} ${request.path}, headers ${JSON.stringify(request.headers)}, ${request.body.length} bytes`, { cause });
      }
    }
    expect(answered).toBe(REQUESTS);
  });
});
