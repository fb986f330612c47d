import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { EOF as PIPE_EOF, hostFuture, hostStream, type Pipe } from '#engine/run/pipe.js';
import { BytePipe } from '#runtime/capability/byte-pipe.js';
import { NO_GUEST_SETTINGS } from '#runtime/capability/guest-settings.js';
import { incomingRequest03, sendResponse03 } from '#runtime/capability/http/server-03.js';
import { bytes, drain, TestExchange, TestGuest, text } from './guest-state.js';
import { InterfaceGuests, notCalled, okOf } from './interface-guest.js';

const dir = mkdtempSync(join(tmpdir(), 'whorl-wasi-'));
writeFileSync(join(dir, 'a'), 'content');
let server: Server;
let authority: string;
beforeAll(async () => {
  server = createServer((request, response) => {
    response.setHeader('trailer', 'x-sum');
    response.writeHead(201, { 'x-got': `${request.method} ${request.url} ${String(request.headers['x-a'])}` });
    request.on('data', (chunk) => response.write(chunk));
    request.on('end', () => {
      response.addTrailers({ 'x-sum': '7' });
      response.end();
    });
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  authority = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(dir, { recursive: true, force: true });
});

let guest: TestGuest;
let guests: InterfaceGuests;
beforeEach(() => {
  const files = [{ path: '/a', localPath: join(dir, 'a'), bytes: 7 }];
  guest = new TestGuest(
    { environment: [['A', '1']], files, settings: { ...NO_GUEST_SETTINGS, tmpBytes: 100_000 }, allowedOutboundHosts: ['http://127.0.0.1:*'] },
    { args: ['main'] },
  );
  guests = new InterfaceGuests(guest);
});
afterEach(() => guest.dispose());
afterAll(() => expect(notCalled()).toEqual([]));

const OK = { tag: 'ok', val: undefined };
const NONE = { create: false, directory: false, exclusive: false, truncate: false };
const READ = { read: true, write: false, fileIntegritySync: false, dataIntegritySync: false, requestedWriteSync: false, mutateDirectory: false };
const WRITE = { ...READ, write: true };
const FOLLOW = { symlinkFollow: true };
const fault = (tag: string) => ({ tag: 'err', val: { tag } });

const streamOf = (...chunks: string[]): Pipe => {
  const left = chunks.map(bytes);
  return hostStream({ pull: () => left.shift() ?? PIPE_EOF });
};
const futureOf = (value: unknown): Pipe => {
  const future = hostFuture();
  future.resolve(value);
  return future;
};
const valueOf = (future: Pipe) => new Promise((resolve) => { future.attach({ value: resolve }); });
const elementsOf = (stream: Pipe) => new Promise<unknown[]>((resolve) => {
  const found: unknown[] = [];
  stream.attach({ write: (chunk) => { found.push(...(chunk as unknown[])); return true; }, end: () => resolve(found) });
});
const textOf = async (stream: Pipe) => text(Uint8Array.from((await elementsOf(stream)) as number[]));

describe.each(['0.3.0-rc-2026-03-15', '0.3.0'])('a guest of WASI %s', (version) => {
  const wasi = (name: string) => guests.of(`wasi:${name}@${version}`);

  it('has arguments, environment and no terminal, and ends by exit', async () => {
    const environment = wasi('cli/environment');
    expect(await environment('get-environment')).toEqual([['A', '1']]);
    expect(await environment('get-arguments')).toEqual(['main']);
    expect(await environment('get-initial-cwd')).toBeUndefined();
    for (const name of ['stdin', 'stdout', 'stderr']) expect(await wasi(`cli/terminal-${name}`)(`get-terminal-${name}`)).toBeUndefined();
    await expect(wasi('cli/exit')('exit', { tag: 'ok' })).rejects.toMatchObject({ code: 0 });
    await expect(new InterfaceGuests(guest).of(`wasi:cli/exit@${version}`)('exit-with-code', 7)).rejects.toMatchObject({ code: 7 });
  });

  it('knows the time, and waits for it', async () => {
    const clock = wasi('clocks/monotonic-clock');
    const start = await clock('now');
    expect(await clock('get-resolution')).toBe(1n);
    await clock('wait-for', 5_000_000n);
    await clock('wait-until', start + 6_000_000n);
    expect((await clock('now')) - start).toBeGreaterThanOrEqual(6_000_000n);
    expect(Math.abs(Number((await wasi('clocks/system-clock')('now')).seconds) - Date.now() / 1000)).toBeLessThan(5);
    expect(await wasi('clocks/system-clock')('get-resolution')).toBe(1_000_000n);
  });

  it('has random numbers', async () => {
    expect(await wasi('random/random')('get-random-bytes', 16n)).toHaveLength(16);
    expect(typeof (await wasi('random/random')('get-random-u64'))).toBe('bigint');
    expect(await wasi('random/insecure')('get-insecure-random-bytes', 3n)).toHaveLength(3);
    expect(typeof (await wasi('random/insecure')('get-insecure-random-u64'))).toBe('bigint');
    expect(await wasi('random/insecure-seed')('get-insecure-seed')).toHaveLength(2);
  });

  it('reads and writes its standard streams', async () => {
    const stdin = new BytePipe();
    guest.next({ stdin });
    const [stream, result] = await wasi('cli/stdin')('read-via-stream');
    stdin.write(bytes('in'));
    stdin.end();
    expect(await textOf(stream)).toBe('in');
    expect(await valueOf(result)).toEqual(OK);
    expect(await valueOf(await wasi('cli/stdout')('write-via-stream', streamOf('ou', 't')))).toEqual(OK);
    expect(await valueOf(await wasi('cli/stderr')('write-via-stream', streamOf('err')))).toEqual(OK);
    expect(guest.output).toEqual({ stdout: 'out', stderr: 'err' });
  });

  it('reads its files, and writes to /tmp', async () => {
    const types = wasi('filesystem/types');
    const on = (name: string, ...args: unknown[]) => types(`[method]descriptor.${name}`, ...args);
    const [[root, path], [tmp]] = await wasi('filesystem/preopens')('get-directories');
    expect(path).toBe('/');
    const file = okOf(await on('open-at', root, FOLLOW, 'a', NONE, READ));
    const [contents, read] = await on('read-via-stream', file, 3n);
    expect(await textOf(contents)).toBe('tent');
    expect(await valueOf(read)).toEqual(OK);
    const [entries, listed] = await on('read-directory', root);
    expect(await elementsOf(entries)).toEqual([{ type: { tag: 'regular-file' }, name: 'a' }]);
    expect(await valueOf(listed)).toEqual(OK);
    expect(okOf(await on('get-type', file))).toEqual({ tag: 'regular-file' });
    expect(okOf(await on('stat', file))).toMatchObject({ type: { tag: 'regular-file' }, size: 7n });
    expect(okOf(await on('metadata-hash', file))).toEqual(okOf(await on('metadata-hash-at', root, FOLLOW, 'a')));
    expect(await on('is-same-object', file, okOf(await on('open-at', root, FOLLOW, 'a', NONE, READ)))).toBe(true);
    okOf(await on('advise', file, 0n, 1n, 'normal'));
    expect(await valueOf(await on('write-via-stream', file, streamOf('x'), 0n))).toEqual(fault('read-only'));

    const made = okOf(await on('open-at', tmp, FOLLOW, 'b', { ...NONE, create: true }, WRITE));
    expect(await valueOf(await on('write-via-stream', made, streamOf('hel', 'lo'), 0n))).toEqual(OK);
    expect(await valueOf(await on('append-via-stream', made, streamOf('!')))).toEqual(OK);
    expect(await textOf((await on('read-via-stream', made, 0n))[0])).toBe('hello!');
    okOf(await on('set-size', made, 3n));
    expect(okOf(await on('get-flags', made))).toEqual(WRITE);
    okOf(await on('sync', made));
    okOf(await on('sync-data', made));
    const at = { tag: 'timestamp', val: { seconds: -5n, nanoseconds: 0 } };
    okOf(await on('set-times', made, at, { tag: 'no-change' }));
    okOf(await on('set-times-at', tmp, FOLLOW, 'b', { tag: 'no-change' }, at));
    expect(okOf(await on('stat-at', tmp, FOLLOW, 'b'))).toMatchObject({ size: 3n, dataAccessTimestamp: at.val, dataModificationTimestamp: at.val });
    okOf(await on('create-directory-at', tmp, 'd'));
    okOf(await on('rename-at', tmp, 'b', tmp, 'd/b'));
    okOf(await on('unlink-file-at', tmp, 'd/b'));
    okOf(await on('remove-directory-at', tmp, 'd'));
    expect(await on('link-at', tmp, FOLLOW, 'a', tmp, 'b')).toEqual(fault('not-permitted'));
    expect(await on('symlink-at', tmp, 'a', 'b')).toEqual(fault('not-permitted'));
    expect(await on('readlink-at', tmp, 'b')).toEqual(fault('no-entry'));
  });
});

describe.each(['0.3.0-rc-2026-03-15', '0.3.0'])('a guest of wasi:http@%s', (version) => {
  const wasi = (name: string) => guests.of(`wasi:${name}@${version}`);
  const fieldsOf = async (...entries: [string, string][]) => okOf(await wasi('http/types')('[static]fields.from-list', entries.map(([name, value]) => [name, bytes(value)])));
  const get = async (fields: unknown, name: string) => (await wasi('http/types')('[method]fields.get', fields, name)).map(text);

  it('makes header fields, and is told what is none', async () => {
    const http = wasi('http/types');
    const fields = await fieldsOf(['X-A', '1'], ['x-b', '2']);
    okOf(await http('[method]fields.append', fields, 'x-a', bytes('3')));
    const copy = await http('[method]fields.clone', fields);
    okOf(await http('[method]fields.set', fields, 'x-c', [bytes('4')]));
    okOf(await http('[method]fields.delete', fields, 'x-b'));
    expect([await http('[method]fields.has', fields, 'X-c'), await http('[method]fields.has', fields, 'x-b')]).toEqual([true, false]);
    expect(okOf<Uint8Array[]>(await http('[method]fields.get-and-delete', fields, 'x-a')).map(text)).toEqual(['1', '3']);
    expect((await http('[method]fields.copy-all', fields)).map(([name, value]: [string, Uint8Array]) => [name, text(value)])).toEqual([['x-c', '4']]);
    expect(await get(copy, 'x-a')).toEqual(['1', '3']);
    const own = await http('[constructor]fields');
    expect(await http('[method]fields.append', own, 'connection', bytes('close'))).toEqual(fault('forbidden'));
    expect(await http('[method]fields.append', own, 'a b', bytes('1'))).toEqual(fault('invalid-syntax'));
    expect(await http('[method]fields.set', own, 'a', [bytes('\n')])).toEqual(fault('invalid-syntax'));
    expect(await http('[method]fields.append', own, 'a', new Uint8Array(200_000).fill(97))).toEqual(fault('size-exceeded'));
  });

  it('sees a request and answers it, with trailers both ways', async () => {
    const http = wasi('http/types');
    const exchange = new TestExchange('PURGE', '/a?b', [['X-Two', '1'], ['x-two', '2'], ['connection', 'close']]);
    exchange.requestBody.write(bytes('body'));
    exchange.requestBody.end([['x-sum', '9']]);
    const request = incomingRequest03(exchange);
    expect(await http('[method]request.get-method', request)).toEqual({ tag: 'other', val: 'PURGE' });
    expect(await http('[method]request.get-path-with-query', request)).toBe('/a?b');
    expect(await http('[method]request.get-scheme', request)).toEqual({ tag: 'HTTP' });
    expect(await http('[method]request.get-authority', request)).toBe('app.localhost:3000');
    expect(await http('[method]request.get-options', request)).toBeUndefined();
    const headers = await http('[method]request.get-headers', request);
    expect([await get(headers, 'x-two'), await get(headers, 'connection')]).toEqual([['1', '2'], []]);
    expect(await http('[method]fields.append', headers, 'x-two', bytes('3'))).toEqual(fault('immutable'));
    const [contents, trailers] = await http('[static]request.consume-body', request, futureOf(OK));
    expect(await textOf(contents)).toBe('body');
    expect(await get(okOf((await valueOf(trailers)) as never), 'x-sum')).toEqual(['9']);

    const [response, sent] = await http('[static]response.new', await fieldsOf(['x-a', '1']), streamOf('ans', 'wer'), futureOf({ tag: 'ok', val: await fieldsOf(['x-sum', '6']) }));
    expect(await http('[method]response.get-status-code', response)).toBe(200);
    expect(await http('[method]response.set-status-code', response, 99)).toEqual({ tag: 'err' });
    okOf(await http('[method]response.set-status-code', response, 404));
    expect(await http('[method]fields.delete', await http('[method]response.get-headers', response), 'x-a')).toEqual(fault('immutable'));
    sendResponse03(guest, exchange, { tag: 'ok', val: response });
    expect(await valueOf(sent)).toEqual(OK);
    expect(exchange.answer).toMatchObject({ status: 404, headers: [['x-a', '1']] });
    expect(await drain(exchange.answer!.body)).toBe('answer');
    expect(exchange.answer!.body.trailers()).toEqual([['x-sum', '6']]);
  });

  it('sends a request, and reads the answer', async () => {
    const http = wasi('http/types');
    const options = await http('[constructor]request-options');
    for (const name of ['connect', 'first-byte', 'between-bytes']) {
      expect(await http(`[method]request-options.get-${name}-timeout`, options)).toBeUndefined();
      okOf(await http(`[method]request-options.set-${name}-timeout`, options, 5_000_000_000n));
    }
    const copy = await http('[method]request-options.clone', options);
    const [request, sent] = await http('[static]request.new', await fieldsOf(['x-a', '1']), streamOf('se', 'nt'), futureOf(OK), options);
    expect(await http('[method]request-options.set-connect-timeout', await http('[method]request.get-options', request), undefined)).toEqual(fault('immutable'));
    okOf(await http('[method]request-options.set-connect-timeout', copy, undefined));
    okOf(await http('[method]request.set-method', request, { tag: 'post' }));
    okOf(await http('[method]request.set-path-with-query', request, '/path?query'));
    okOf(await http('[method]request.set-scheme', request, { tag: 'HTTP' }));
    okOf(await http('[method]request.set-authority', request, authority));
    expect(await http('[method]request.set-method', request, { tag: 'other', val: 'a b' })).toEqual({ tag: 'err' });
    expect(await http('[method]request.set-path-with-query', request, '/a b')).toEqual({ tag: 'err' });
    expect(await http('[method]request.set-scheme', request, { tag: 'other', val: '1:' })).toEqual({ tag: 'err' });
    expect(await http('[method]request.set-authority', request, 'user@host')).toEqual({ tag: 'err' });
    const response = okOf(await wasi('http/client')('send', request));
    expect(await valueOf(sent)).toEqual(OK);
    expect(await http('[method]response.get-status-code', response)).toBe(201);
    expect(await get(await http('[method]response.get-headers', response), 'x-got')).toEqual(['POST /path?query 1']);
    const [contents, trailers] = await http('[static]response.consume-body', response, futureOf(OK));
    expect(await textOf(contents)).toBe('sent');
    expect(await get(okOf((await valueOf(trailers)) as never), 'x-sum')).toEqual(['7']);
  });

  it('is told why there is no answer', async () => {
    const http = wasi('http/types');
    const [request] = await http('[static]request.new', await fieldsOf(), undefined, futureOf(OK), undefined);
    okOf(await http('[method]request.set-scheme', request, { tag: 'HTTP' }));
    okOf(await http('[method]request.set-authority', request, 'example.com'));
    expect(await wasi('http/client')('send', request)).toEqual(fault('HTTP-request-denied'));
  });
});
