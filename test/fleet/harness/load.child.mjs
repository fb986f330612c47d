// Sends requests at a fixed rate, whatever comes of them (open loop), over kept connections to the nodes in turn, as a load balancer in front of them would: a node that takes
// no connection is left out for a moment, and the request that was not sent goes to the next. Nothing that was sent is ever sent again.
import http from 'node:http';

const TICK_MS = 2;
const SHIP_MS = 100;
const LEFT_OUT_MS = 500;

let options;
let agents;
let timer;
let sent = 0;
let begunMs = 0;
let underWay = 0;
let stopping = false;
let rows = [];
const leftOutUntil = new Map();
/** Requests under way, by node, and what waits for one to have none. */
const at = new Map();
let waiting = [];
const monotonicMs = () => performance.now();

process.on('message', (message) => {
  if (message.kind === 'begin') begin(message.options);
  if (message.kind === 'stop') stop();
  if (message.kind === 'targets') options.targets = message.targets;
  if (message.kind === 'rate') setRate(message.rate);
  if (message.kind === 'idle') {
    waiting.push(message);
    count(message.node, 0);
  }
});
process.on('disconnect', () => process.exit());

function begin(given) {
  options = given;
  agents = new Map();
  setRate(given.rate);
  timer = setInterval(tick, TICK_MS);
  setInterval(ship, SHIP_MS);
}

function count(node, change) {
  at.set(node, (at.get(node) ?? 0) + change);
  if (at.get(node) > 0) return;
  for (const { id } of waiting.filter((each) => each.node === node)) process.send({ kind: 'idle', id });
  waiting = waiting.filter((each) => each.node !== node);
}

function setRate(rate) {
  options.rate = rate;
  begunMs = monotonicMs();
  sent = 0;
}

function tick() {
  const due = Math.floor(((monotonicMs() - begunMs) * options.rate) / 1000);
  while (sent < due) {
    sent++;
    underWay++;
    send({ app: pick(options.apps), user: `user-${Math.floor(Math.random() * options.users)}`, path: options.paths[sent % options.paths.length], tries: 0 }, sent % options.targets.length);
  }
}

const pick = (many) => many[Math.floor(Math.random() * many.length)];

function send(request, turn) {
  const { targets } = options;
  const now = Date.now();
  let target = targets[turn % targets.length];
  for (let i = 0; i < targets.length; i++) {
    const candidate = targets[(turn + i) % targets.length];
    if ((leftOutUntil.get(candidate.node) ?? 0) > now) continue;
    target = candidate;
    break;
  }
  count(target.node, 1);
  const startMs = Date.now();
  const from = monotonicMs();
  let over = false;
  const end = (status, text) => {
    if (over) return;
    over = true;
    underWay--;
    count(target.node, -1);
    rows.push([startMs, Date.now(), target.node, request.app, status, text, request.tries, request.user, monotonicMs() - from]);
    if (stopping && underWay === 0) finish();
  };
  let connected = false;
  const outgoing = http.get({
    agent: agentOf(target), host: target.address, port: target.port, path: request.path, timeout: options.timeoutMs,
    headers: { host: `${request.app}.${options.domain}`, 'x-user': request.user, ...options.headers },
  }, (response) => {
    const chunks = [];
    response.on('data', (chunk) => chunks.push(chunk));
    response.on('end', () => end(response.statusCode, Buffer.concat(chunks).toString().trim()));
    response.on('error', (error) => end(0, error.code ?? error.message));
  });
  outgoing.on('socket', (socket) => {
    connected = !socket.connecting;
    if (!connected) socket.once('connect', () => { connected = true; });
  });
  outgoing.on('timeout', () => outgoing.destroy(Object.assign(new Error('no answer in time'), { code: 'TIMEOUT' })));
  outgoing.on('error', (error) => {
    if (over) return;
    if (connected || request.tries >= 2 * targets.length) return end(0, connected ? error.code ?? error.message : `not connected: ${error.code ?? error.message}`);
    over = true;
    count(target.node, -1);
    leftOutUntil.set(target.node, Date.now() + LEFT_OUT_MS);
    send({ ...request, tries: request.tries + 1 }, turn + 1);
  });
}

function agentOf({ node }) {
  let agent = agents.get(node);
  if (!agent) agents.set(node, (agent = new http.Agent({ keepAlive: true, noDelay: true })));
  return agent;
}

function ship() {
  if (rows.length === 0) return;
  process.send({ kind: 'rows', rows });
  rows = [];
}

function stop() {
  clearInterval(timer);
  stopping = true;
  if (underWay === 0) finish();
}

function finish() {
  ship();
  process.send({ kind: 'over' }, () => process.exit());
}
