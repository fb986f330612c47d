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

/** `name` identifies a row; `ask` is of REQUESTS; `server` is of what `start` in throughput.mjs made. */
const row = (name, server, ask = 'get', concurrent = USUAL) => ({ name, server, ask, concurrent });

/** Of Whorl: a component, and the request it gets. */
const APPS = [['tiny', 'get'], ['json', 'json'], ['js', 'get'], ['hello-03', 'get']];

const whorl = (apps, group) => [
  ...APPS.map(([app, ask]) => row(`Whorl fresh, ${app}`, `${group}:${app}`, ask, CONCURRENT)),
  ...APPS.filter(([app]) => `${app}-reused` in apps).map(([app, ask]) => row(`Whorl reused, ${app}`, `${group}:${app}-reused`, ask, CONCURRENT)),
  row('Whorl fresh, js, POST 100 kB', `${group}:js`, 'post100k'),
];

/** One process each. */
export const oneProcess = (apps) => [
  row('bare node:http, JSON', 'bare', 'json'),
  row('bare node:http, POST 100 kB', 'bare', 'post100k'),
  ...whorl(apps, 'one'),
  row('workerd', 'workerd', 'get', CONCURRENT),
  row('workerd, JSON', 'workerd', 'json'),
  ...['shared', 'instance', 'worker'].map((mode) => row(`jco serve ${mode}, tiny`, `jco:${mode}:tiny`)),
  ...['shared', 'instance'].map((mode) => row(`jco serve ${mode}, json`, `jco:${mode}:json`, 'json')),
  row('jco serve instance, js', 'jco:instance:js'),
];

/** As many processes as there are cores. */
export const allCores = (apps) => whorl(apps, 'all');
