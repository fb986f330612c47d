// Bare node:http, as many processes as asked for (`PROCESSES`): what every other row is compared with.
//   GET /    one line of text
//   POST /json    reads the body and answers with JSON about the request, as bench/components/json-rs does
//   POST /echo    the body goes back as it comes in
import cluster from 'node:cluster';
import { createServer } from 'node:http';

const processes = Number(process.env.PROCESSES ?? 1);

function fnv1a(bytes) {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

function answerJson(request, response) {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
    const { method, url, headers } = request;
    const answer = JSON.stringify({ method, path: url, headers: Object.keys(headers).length, agent: headers['user-agent'] ?? null, bytes: body.length, fnv1a: fnv1a(body) });
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length }).end(answer);
  });
}

function answer(request, response) {
  if (request.url === '/json') return answerJson(request, response);
  if (request.url === '/echo') {
    response.writeHead(200, { 'content-type': 'application/octet-stream' });
    request.pipe(response);
    return;
  }
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', 'content-length': 18 }).end('hello from tiny 1\n');
}

if (processes > 1 && cluster.isPrimary) {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  let listening = 0;
  for (let i = 0; i < processes; i++) cluster.fork({ PORT: process.env.PORT });
  cluster.on('listening', () => { if (++listening === processes) process.stdout.write('ready\n'); });
} else {
  createServer(answer).listen(Number(process.env.PORT), '127.0.0.1', () => { if (!cluster.isWorker) process.stdout.write('ready\n'); });
}
