import { readFileSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco';
import { NO_GUEST_SETTINGS } from '#runtime/capability/guest-settings.js';
import { buildWorld } from '../fixtures/build-world.js';
import { artifactOf, ask, Blobs, httpTrigger, LIMITS, raw, STAY_LOADED, TestFront } from './front-fixture.js';

const blobs = new Blobs();
const fronts: TestFront[] = [];
afterEach(async () => {
  for (const front of fronts.splice(0)) await front.close();
});
afterAll(() => blobs.remove());

const SPIN_WIT = `
package fermyon:spin;
interface http-types {
  type http-status = u16;
  type body = list<u8>;
  type headers = list<tuple<string, string>>;
  type params = list<tuple<string, string>>;
  type uri = string;
  enum method { get, post, put, delete, patch, head, options }
  record request { method: method, uri: uri, headers: headers, params: params, body: option<body> }
  record response { status: http-status, headers: option<headers>, body: option<body> }
}
interface inbound-http {
  use http-types.{request, response};
  handle-request: func(req: request) -> response;
}
world app { export inbound-http; }`;

/** Answers 201 with the request's body. */
const SPIN_ECHO = `(module
  (memory (export "memory") 2)
  (global $top (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.set $top (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  (func (export "fermyon:spin/inbound-http#handle-request")
    (param $method i32) (param $uri i32) (param $uri-len i32) (param $headers i32) (param $headers-len i32) (param $params i32) (param $params-len i32)
    (param $has-body i32) (param $body i32) (param $body-len i32) (result i32)
    (i32.store16 (i32.const 64) (i32.const 201))
    (i32.store8 (i32.const 68) (i32.const 0))
    (i32.store8 (i32.const 80) (local.get $has-body))
    (i32.store (i32.const 84) (local.get $body))
    (i32.store (i32.const 88) (local.get $body-len))
    (i32.const 64)))`;

/** Writes a head and then what stands on stdin. */
const WAGI_ECHO = `(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "Content-Type: text/plain\\nStatus: 202\\nX-Own: yes\\n\\nstdin: ")
  (func $put (param $at i32) (param $len i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $len))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start")
    (call $put (i32.const 1024) (i32.const 56))
    (block $done (loop $more
      (i32.store (i32.const 0) (i32.const 4096))
      (i32.store (i32.const 4) (i32.const 1000))
      (br_if $done (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (br_if $done (i32.eqz (i32.load (i32.const 8))))
      (call $put (i32.const 4096) (i32.load (i32.const 8)))
      (br $more)))))`;

async function serve(wasm: Uint8Array, executor: { type: 'http' } | { type: 'wagi'; argv: string }, limits = {}, settings = NO_GUEST_SETTINGS): Promise<TestFront> {
  const built = await blobs.build(wasm);
  const front = await new TestFront(blobs, 'shared', LIMITS, STAY_LOADED, 0, settings).listen();
  fronts.push(front);
  await front.deploy('app', artifactOf(1, { main: built }, [httpTrigger('all', '/...', { component: 'main', executor })], { limits }));
  return front;
}

describe('fermyon:spin/inbound-http', () => {
  const spin = async (limits = {}) => serve(await componentNew(await componentEmbed({ binary: await parse(SPIN_ECHO), witSource: SPIN_WIT, world: 'app' }), []), { type: 'http' }, limits);

  it('gets whole bodies and gives whole bodies', async () => {
    const front = await spin();
    expect(await ask(front.port, 'app.localhost', '/', { method: 'POST', body: 'a body' })).toMatchObject({ status: 201, body: 'a body', headers: { 'content-length': '6' } });
    expect(await ask(front.port, 'app.localhost')).toMatchObject({ status: 201, body: '' });
    expect(front.usage()).toMatchObject({ requests: 2, errors: 0, bytesIn: 6, bytesOut: 6 });
  });

  it('answers 413 when the body turns out longer than allowed', async () => {
    const front = await spin({ requestBytes: 500_000 });
    const answer = await ask(front.port, 'app.localhost', '/', { method: 'POST', headers: { 'transfer-encoding': 'chunked' }, body: Buffer.alloc(2_000_000) });
    expect(answer).toMatchObject({ status: 413, body: '' });
    expect(front.logs()[0]!.line).toMatch(/^COMPONENT_REQUEST_TOO_LARGE/);
  });

  it('answers 405 for a method it does not know', async () => {
    const front = await spin();
    expect(await ask(front.port, 'app.localhost', '/', { method: 'PROPFIND' })).toMatchObject({ status: 405, body: '' });
  });
});

describe('the WAGI executor', () => {
  it('runs a core module as a CGI program: stdin in, stdout out', async () => {
    const front = await serve(await parse(WAGI_ECHO), { type: 'wagi', argv: '${SCRIPT_NAME} ${ARGS}' });
    expect(await ask(front.port, 'app.localhost', '/?a+b', { method: 'POST', body: 'in' })).toMatchObject({
      status: 202, body: 'stdin: in', headers: { 'content-type': 'text/plain', 'x-own': 'yes' },
    });
    expect(await ask(front.port, 'app.localhost')).toMatchObject({ status: 202, body: 'stdin: ' });
  });

  it('answers 500 with the reason for a program that writes no head', async () => {
    const front = await serve(await parse(WAGI_ECHO.replace('Content-Type: text/plain\\nStatus: 202\\n', 'Nothing-Known: text/plain\\nStatic: 202\\n')), { type: 'wagi', argv: '' });
    expect(await ask(front.port, 'app.localhost')).toMatchObject({ status: 500, body: expect.stringContaining('content-type') });
    expect(front.usage()).toMatchObject({ requests: 1, errors: 1 });
  });
});

const text = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');

describe('the trace of a request', () => {
  it('is the outer span of the guest that answers it', async () => {
    const wat = text('../../examples/tiny-wat/tiny.wat')
      .replace('(module', '(module (import "wasi:otel/tracing@0.2.0-rc.2" "outer-span-context" (func $outer (param i32)))')
      .replace('(call $print (local.get $stream) (i32.const 1072) (i32.const 18)', '(call $outer (i32.const 128)) (call $print (local.get $stream) (i32.load (i32.const 128)) (i32.load (i32.const 132))');
    const wasm = await buildWorld(wat, { imports: ['wasi:http/types@0.2.3', 'wasi:io/streams@0.2.3', 'wasi:otel/tracing@0.2.0-rc.2'], exports: ['wasi:http/incoming-handler@0.2.3'] });
    const front = await serve(wasm, { type: 'http' });
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    expect(await ask(front.port, 'app.localhost', '/', { headers: { Traceparent: `00-${traceId}-00f067aa0ba902b7-01` } })).toMatchObject({ status: 200, body: traceId });
    expect(await ask(front.port, 'app.localhost')).toMatchObject({ status: 200, body: '0'.repeat(32) });
  });
});

describe('an interim answer', () => {
  it('leaves before the answer, and not to a client of HTTP/1.0', async () => {
    const wat = text('../../examples/tiny-wat/tiny.wat')
      .replace('(module', '(module (import "wasi:http/types@0.2.3" "[method]response-outparam.send-informational" (func $inform (param i32 i32 i32 i32)))')
      .replace('(local.set $answer', '(call $inform (local.get $out) (i32.const 103) (call $fields) (i32.const 64)) (local.set $answer');
    const wasm = await buildWorld(wat, { imports: ['wasi:http/types@0.2.3', 'wasi:io/streams@0.2.3'], exports: ['wasi:http/incoming-handler@0.2.3'] });
    const front = await serve(wasm, { type: 'http' });
    const get = (version: string) => raw(front.port, `GET / HTTP/${version}\r\nHost: app.localhost\r\nConnection: close\r\n\r\n`);
    expect(await get('1.1')).toMatch(/^HTTP\/1\.1 103 Early Hints\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    expect(await get('1.0')).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });
});

describe('the release candidates', () => {
  it('answers by wasi:http/incoming-handler@0.2.0-rc-2023-10-18', async () => {
    const version = '0.2.0-rc-2023-10-18';
    const wasm = await buildWorld(text('../fixtures/wat/hello-2023-10-18.wat'), {
      imports: [`wasi:http/types@${version}`, `wasi:io/streams@${version}`], exports: [`wasi:http/incoming-handler@${version}`],
    });
    const front = await serve(wasm, { type: 'http' });
    for (let i = 0; i < 2; i += 1) {
      expect(await ask(front.port, 'app.localhost')).toMatchObject({ status: 203, body: 'hello from 2023\n', headers: { 'x-version': '2023-10-18', 'transfer-encoding': 'chunked' } });
    }
    expect(front.usage()).toMatchObject({ requests: 2, errors: 0 });
  });

  it('answers by wasi:http/incoming-handler@0.2.0-rc-2023-11-10', async () => {
    const version = '0.2.0-rc-2023-11-10';
    const wasm = await buildWorld(text('../../examples/tiny-wat/tiny.wat').replaceAll('0.2.3', version), {
      imports: [`wasi:http/types@${version}`, `wasi:io/streams@${version}`], exports: [`wasi:http/incoming-handler@${version}`],
    });
    const front = await serve(wasm, { type: 'http' });
    expect(await ask(front.port, 'app.localhost')).toMatchObject({ status: 200, body: 'hello from tiny 1\n' });
  });

  it('answers by wasi:http/handler@0.3.0-rc-2026-03-15, while other requests wait in their instances', async () => {
    const version = '0.3.0-rc-2026-03-15';
    const wat = text('../fixtures/wat/hello-03.wat').replaceAll('0.3.0', version);
    const wasm = await buildWorld(wat, { imports: [`wasi:clocks/monotonic-clock@${version}`, `wasi:http/types@${version}`], exports: [`wasi:http/handler@${version}`] });
    const front = await serve(wasm, { type: 'http' });
    const [waited, at] = await Promise.all([ask(front.port, 'app.localhost', '/wait'), ask(front.port, 'app.localhost')]);
    expect([waited, at]).toEqual([expect.objectContaining({ status: 200, body: 'hello 1\n' }), expect.objectContaining({ status: 200, body: 'hello 1\n' })]);
  });
});

describe('programs under WAGI', () => {
  /** Prints a head and one line by 0.2 streams, as the standard libraries of programs for 0.3 still do. */
  const program = (version: string, streams: string) => `(module
    (import "wasi:cli/stdout@${streams}" "get-stdout" (func $stdout (result i32)))
    (import "wasi:io/streams@${streams}" "[method]output-stream.blocking-write-and-flush" (func $print (param i32 i32 i32 i32)))
    (memory (export "memory") 1)
    (data (i32.const 1024) "Content-Type: text/plain\\n\\nby ${version}")
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
    (func (export "wasi:cli/run@${version}#run") (result i32)
      (call $print (call $stdout) (i32.const 1024) (i32.const ${29 + version.length}) (i32.const 16))
      (i32.load8_u (i32.const 16))))`;

  it.each([
    ['0.2.0-rc-2023-10-18', '0.2.0-rc-2023-10-18'], ['0.2.0-rc-2023-11-10', '0.2.0-rc-2023-11-10'], ['0.2.12', '0.2.12'],
    ['0.3.0-rc-2026-03-15', '0.2.12'], ['0.3.0', '0.2.12'],
  ])('run by wasi:cli/run@%s', async (version, streams) => {
    const wasm = await buildWorld(program(version, streams), { imports: [`wasi:cli/stdout@${streams}`, `wasi:io/streams@${streams}`], exports: [`wasi:cli/run@${version}`] });
    const front = await serve(wasm, { type: 'wagi', argv: '' });
    expect(await ask(front.port, 'app.localhost')).toMatchObject({ status: 200, body: `by ${version}`, headers: { 'content-type': 'text/plain' } });
    expect(front.usage()).toMatchObject({ requests: 1, errors: 0 });
  });
});

describe('a private /tmp', () => {
  /** A program of preview 1: makes /tmp/a, which must not be there, writes what stands on stdin into it, reads it and prints it. */
  const KEEPER = `(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_seek" (func $seek (param i32 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 1024) "Content-Type: text/plain\\n\\n")
    (data (i32.const 1060) "a")
    (func $must (param i32) (if (local.get 0) (then (unreachable))))
    (func $io (param $at i32) (param $len i32) (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $len)))
    (func (export "_start")
      ;; creat, excl; read and write
      (call $must (call $open (i32.const 3) (i32.const 0) (i32.const 1060) (i32.const 1) (i32.const 5) (i64.const 0x42) (i64.const 0) (i32.const 0) (i32.const 16)))
      (call $io (i32.const 4096) (i32.const 1000))
      (call $must (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (call $io (i32.const 4096) (i32.load (i32.const 8)))
      (call $must (call $write (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 8)))
      (call $must (call $seek (i32.load (i32.const 16)) (i64.const 0) (i32.const 0) (i32.const 24)))
      (call $io (i32.const 8192) (i32.const 1000))
      (call $must (call $read (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 12)))
      (call $io (i32.const 1024) (i32.const 26))
      (call $must (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (call $io (i32.const 8192) (i32.load (i32.const 12)))
      (call $must (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))`;
  const post = (front: TestFront, body: string) => ask(front.port, 'app.localhost', '/', { method: 'POST', body });

  it('is written and read by a program, and empty for each request', async () => {
    const front = await serve(await parse(KEEPER), { type: 'wagi', argv: '' }, {}, { ...NO_GUEST_SETTINGS, tmpBytes: 10_000 });
    expect(await post(front, 'first')).toMatchObject({ status: 200, body: 'first' });
    expect(await post(front, 'second')).toMatchObject({ status: 200, body: 'second' });
    const [one, other] = await Promise.all([post(front, 'one'), post(front, 'other')]);
    expect([one.body, other.body]).toEqual(['one', 'other']);
    expect(front.usage()).toMatchObject({ requests: 4, errors: 0 });
  });

  it('is not there where the operator gives none', async () => {
    const front = await serve(await parse(KEEPER), { type: 'wagi', argv: '' });
    expect(await post(front, 'first')).toMatchObject({ status: 500 });
  });
});
