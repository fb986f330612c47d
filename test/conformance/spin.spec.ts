import { request as httpRequest } from 'node:http';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Platform, startPlatform } from '../../bench/lib/platform.mjs';
import { packBundle } from '#contract/bundle/pack.js';
import { buildWorld } from '../fixtures/build-world.js';
import { buildJsGuest } from '../fixtures/js-guest.js';
import { startHttpEcho, startTcpEcho } from '../fixtures/servers/echo.js';
import { hasMosquitto, startMosquitto } from '../fixtures/servers/mosquitto.js';
import { hasRedis, startRedis } from '../fixtures/servers/redis.js';
import { manifestOf, SPIN_CASES, type CasePorts, type Service, type SpinCase } from './spin-cases.js';
import { startServices, type Services } from './services.js';

const TCP_WORLD = {
  imports: ['http/types', 'io/poll', 'io/streams', 'sockets/instance-network', 'sockets/tcp-create-socket', 'sockets/tcp'].map((name) => `wasi:${name}@0.2.3`),
  exports: ['wasi:http/incoming-handler@0.2.3'],
};

/** Spin's conformance cases against the whole platform: pushed with their manifests, asked as the suite asks. Runs what `npm run build` made. */

let platform: Platform;
let services: Services;
let guests: Record<'conformance' | 'tcp-sockets', Uint8Array>;

beforeAll(async () => {
  const [started, running, conformance, tcpSockets] = await Promise.all([
    startPlatform({ env: { WHORL_ALLOW_PRIVATE_HOSTS: 'true' } }),
    startServices({ http: startHttpEcho, tcp: startTcpEcho, redis: async () => startRedis(), mqtt: async () => startMosquitto() }),
    buildJsGuest(fileURLToPath(new URL('../fixtures/js-conformance', import.meta.url)), 'conformance').then((path) => readFile(path)),
    readFile(new URL('../fixtures/wat/tcp-sockets.wat', import.meta.url), 'utf8').then((wat) => buildWorld(wat, TCP_WORLD)),
  ]);
  [platform, services, guests] = [started, running, { conformance, 'tcp-sockets': tcpSockets }];
}, 180_000);
afterAll(async () => {
  await Promise.all([platform?.stop(), services?.stop()]);
}, 60_000);

interface Answer {
  status: number;
  /** As they came, names in lower case. */
  fields: [string, string][];
  body: string;
}

function ask(host: string, path: string, headers: Record<string, string>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    httpRequest({ host: '127.0.0.1', port: platform.httpPort, path, agent: false, headers: { ...headers, host } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const fields = response.rawHeaders.flatMap((name, i): [string, string][] => (i % 2 === 0 ? [[name.toLowerCase(), response.rawHeaders[i + 1]!]] : []));
        resolve({ status: response.statusCode!, fields, body: Buffer.concat(chunks).toString() });
      });
    }).on('error', reject).end();
  });
}

/** The only fields that the suite lets an answer have; a client that asks to close is told so. */
const KNOWN_FIELDS = ['content-length', 'transfer-encoding', 'date', 'server', 'content-type', 'connection'];

async function run(spinCase: SpinCase, ports: CasePorts): Promise<void> {
  const host = `${spinCase.name}.localhost`;
  const files = [{ path: 'spin.toml', content: Buffer.from(manifestOf(spinCase, ports, host)) }, { path: 'guest.wasm', content: guests[spinCase.guest ?? 'conformance'] }];
  await platform.push(spinCase.name, await packBundle(files));
  const { status, fields, body } = await ask(host, spinCase.path ?? '/', spinCase.headers?.(ports) ?? {});
  expect({ status, body }).toEqual({ status: spinCase.status ?? 200, body: spinCase.body ?? '' });
  expect(fields.map(([name]) => name).filter((name) => !KNOWN_FIELDS.includes(name))).toEqual([]);
  for (const [name, value] of fields) if (spinCase.fields?.[name] !== undefined) expect([name, value]).toEqual([name, spinCase.fields[name]]);
  expect(fields.map(([name]) => name)).toEqual(expect.arrayContaining(spinCase.required ?? []));
}

const MISSING: Partial<Record<Service, string>> = { ...(!hasRedis && { redis: 'redis-server' }), ...(!hasMosquitto && { mqtt: 'mosquitto' }) };

describe('Spin\'s conformance suite', () => {
  for (const spinCase of SPIN_CASES) {
    const missing = spinCase.needs.flatMap((service) => MISSING[service] ?? []);
    const title = missing.length > 0 ? `${spinCase.name} (left out: ${missing.join(', ')} is not installed)` : spinCase.name;
    (missing.length > 0 ? it.skip : it)(title, () => run(spinCase, services.ports as CasePorts), 120_000);
  }
});
