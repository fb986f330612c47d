// What is measured: each row is a server, a request, and the numbers of concurrent requests.
import { requestBytes } from './load.mjs';

const CONCURRENT = [1, 32, 256];
const USUAL = [32];
const CLIENT_HEADERS = {
  'user-agent': 'whorl-bench/1', accept: 'application/json', 'accept-encoding': 'gzip, br', 'accept-language': 'en', 'x-request-id': '4bf92f3577b34da6a3ce929d0e0e4736',
  'content-type': 'application/json',
};
const SMALL_BODY = JSON.stringify({ name: 'spindle', parts: Array.from({ length: 20 }, (_, i) => `part ${i}`) });

/** What a row asks for, by name. */
export const REQUESTS = {
  get: (host) => requestBytes({ host }),
  json: (host) => requestBytes({ method: 'POST', path: '/json', host, headers: CLIENT_HEADERS, body: SMALL_BODY }),
  post100k: (host) => requestBytes({ method: 'POST', path: '/echo', host, headers: { 'content-type': 'application/octet-stream' }, body: Buffer.alloc(100_000, 'w') }),
};

/** `name` identifies a row; `ask` is of REQUESTS; `server` is one of its stage's. */
const row = (name, server, ask = 'get', concurrent = USUAL) => ({ name, server, ask, concurrent });

/** Components that are also measured with an instance reused. Not js: a guest of its toolchain answers one request for an instance. */
const REUSED = ['tiny', 'json', 'hello-03'];

/** A platform with one app and, where it can be reused, the same once more with `reuse = true`. */
const whorl = (app, ask, more = []) => ({
  kind: 'whorl',
  components: [app],
  reused: REUSED.filter((name) => name === app),
  rows: [
    row(`Whorl fresh, ${app}`, app, ask, CONCURRENT),
    ...REUSED.filter((name) => name === app).map(() => row(`Whorl reused, ${app}`, `${app}-reused`, ask, CONCURRENT)),
    ...more,
  ],
});

const APPS = [
  whorl('tiny', 'get'),
  whorl('json', 'json'),
  whorl('js', 'get', [row('Whorl fresh, js, POST 100 kB', 'js', 'post100k')]),
  whorl('hello-03', 'get'),
];

const jco = (mode, component, ask) => ({ kind: 'jco', mode, component, rows: [row(`jco serve ${mode}, ${component}`, 'jco', ask)] });

/** One process each. A stage is what is up at the same time, beside bare node:http: its servers, and the rows that they answer. */
export const ONE_PROCESS = [
  { kind: 'bare', rows: [row('bare node:http, JSON', 'bare', 'json'), row('bare node:http, POST 100 kB', 'bare', 'post100k')] },
  ...APPS,
  { kind: 'workerd', rows: [row('workerd', 'workerd', 'get', CONCURRENT), row('workerd, JSON', 'workerd', 'json')] },
  ...['shared', 'instance', 'worker'].map((mode) => jco(mode, 'tiny', 'get')),
  ...['shared', 'instance'].map((mode) => jco(mode, 'json', 'json')),
  jco('instance', 'js', 'get'),
];

/** As many processes as there are cores. */
export const ALL_CORES = APPS;
