import { Err, Trap } from '#engine/run/host.js';
import { plain, waiting, type Capability } from '../capability.js';
import type { GuestState } from '../guest.js';
import { atVersions, RC_2023_10_18, SINCE_2023_11_10 } from '../versions.js';
import { PENDING, waitFor } from '../wait.js';
import type { InputStream } from './input-stream.js';
import { CLOSED, type StreamError } from './io-error.js';
import { ERROR } from './poll.capability.js';
import { NO_MORE, WRITE_PERMIT_BYTES, type OutputStream } from './output-stream.js';

type Failed = Err<StreamError>;

function skip(stream: InputStream, len: bigint): bigint | Failed {
  const chunk = stream.read(len);
  return chunk instanceof Err ? chunk : BigInt(chunk.length);
}

function checkWrite(stream: OutputStream): bigint | Failed {
  const permit = stream.permit();
  return permit === NO_MORE ? CLOSED : BigInt(permit);
}

/** `write`: a guest that brings more than `check-write` allowed traps (wasi:io/streams, write). */
function write(stream: OutputStream, contents: Uint8Array): Failed | undefined {
  const permit = stream.permit();
  if (permit === NO_MORE) return CLOSED;
  if (contents.length > permit) throw new Trap('wrote more bytes than check-write permits');
  return stream.put(contents);
}

function writeZeroes(stream: OutputStream, len: bigint): Failed | undefined {
  if (len > WRITE_PERMIT_BYTES) throw new Trap('wrote more zeroes than check-write permits');
  return write(stream, new Uint8Array(Number(len)));
}

function splice(to: OutputStream, from: InputStream, len: bigint): bigint | Failed {
  const permit = to.permit();
  if (permit === NO_MORE) return CLOSED;
  const chunk = from.read(len < permit ? len : BigInt(permit));
  if (chunk instanceof Err) return chunk;
  if (chunk.length === 0) return 0n;
  return to.put(chunk) ?? BigInt(chunk.length);
}

/** Waits until what was written is out of this process; ok when the stream closed after all was handed over. */
function blockingFlush(state: GuestState, stream: OutputStream): Failed | undefined | Promise<Failed | undefined> {
  const permit = stream.permit();
  if (permit === NO_MORE) return CLOSED;
  if (permit > 0) return undefined;
  return waitFor(state, [stream], () => {
    const now = stream.permit();
    if (now === 0) return PENDING;
    return now === NO_MORE ? CLOSED : undefined;
  });
}

function blockingWrite(state: GuestState, stream: OutputStream, contents: Uint8Array): Failed | undefined | Promise<Failed | undefined> {
  if (stream.permit() === 0) {
    return waitFor(state, [stream], () => (stream.ready() ? true : PENDING)).then(() => blockingWrite(state, stream, contents));
  }
  return write(stream, contents) ?? (stream.permit() === 0 ? blockingFlush(state, stream) : undefined);
}

const STREAM_FUNCTIONS: Capability['functions'] = {
  '[method]input-stream.read': plain((stream: InputStream, len: bigint) => stream.read(len)),
  '[method]input-stream.blocking-read': waiting((state) => (stream: InputStream, len: bigint) =>
    len === 0n || stream.ready() ? stream.read(len) : waitFor(state, [stream], () => (stream.ready() ? stream.read(len) : PENDING))),
  '[method]input-stream.skip': plain(skip),
  '[method]input-stream.blocking-skip': waiting((state) => (stream: InputStream, len: bigint) =>
    len === 0n || stream.ready() ? skip(stream, len) : waitFor(state, [stream], () => (stream.ready() ? skip(stream, len) : PENDING))),
  '[method]input-stream.subscribe': plain((stream: InputStream) => stream),
  '[resource-drop]input-stream': plain((stream: InputStream) => stream.drop()),
  '[method]output-stream.check-write': plain(checkWrite),
  '[method]output-stream.write': plain(write),
  '[method]output-stream.blocking-write-and-flush': waiting((state) => (stream: OutputStream, contents: Uint8Array) => {
    stream.writesThrough();
    return blockingWrite(state, stream, contents);
  }),
  '[method]output-stream.flush': plain((stream: OutputStream) => (stream.permit() === NO_MORE ? CLOSED : undefined)),
  '[method]output-stream.blocking-flush': waiting((state) => (stream: OutputStream) => blockingFlush(state, stream)),
  '[method]output-stream.subscribe': plain((stream: OutputStream) => stream),
  '[method]output-stream.write-zeroes': plain(writeZeroes),
  '[method]output-stream.blocking-write-zeroes-and-flush': waiting((state) => (stream: OutputStream, len: bigint) => {
    if (len > WRITE_PERMIT_BYTES) throw new Trap('wrote more zeroes than one write may bring');
    return blockingWrite(state, stream, new Uint8Array(Number(len)));
  }),
  '[method]output-stream.splice': plain(splice),
  '[method]output-stream.blocking-splice': waiting((state) => (to: OutputStream, from: InputStream, len: bigint) => blockingSplice(state, to, from, len)),
};

function blockingSplice(state: GuestState, to: OutputStream, from: InputStream, len: bigint): bigint | Failed | Promise<bigint | Failed> {
  const attempt = () => (to.ready() && from.ready() ? splice(to, from, len) : PENDING);
  const now = attempt();
  return now === PENDING ? waitFor(state, [to, from], attempt) : now;
}

/** Passes on all that is still to come; a source that ends is no fault. */
function forward(state: GuestState, to: OutputStream, from: InputStream): bigint | Failed | Promise<bigint | Failed> {
  let passedBytes = 0n;
  const attempt = () => {
    while (to.ready() && from.ready()) {
      const passed = splice(to, from, BigInt(WRITE_PERMIT_BYTES));
      if (passed instanceof Err) return passed.payload.tag === 'closed' && to.permit() !== NO_MORE ? passedBytes : passed;
      passedBytes += passed;
    }
    return PENDING;
  };
  const now = attempt();
  return now === PENDING ? waitFor(state, [to, from], attempt) : now;
}

/** A source that is handed over goes when it was read. */
function thenDrop<T>(from: InputStream, passed: T | Promise<T>): T | Promise<T> {
  if (passed instanceof Promise) return passed.finally(() => from.drop());
  from.drop();
  return passed;
}

/** `wasi:io/streams`. The first candidate had errors and pollables in other places, and took the source of a splice for good. */
export const STREAMS: readonly Capability[] = [
  ...atVersions(SINCE_2023_11_10, 'wasi:io/streams', STREAM_FUNCTIONS),
  ...atVersions([RC_2023_10_18], 'wasi:io/streams', {
    ...STREAM_FUNCTIONS,
    ...ERROR,
    '[method]output-stream.splice': plain((to: OutputStream, from: InputStream, len: bigint) => thenDrop(from, splice(to, from, len))),
    '[method]output-stream.blocking-splice': waiting((state) => (to: OutputStream, from: InputStream, len: bigint) =>
      thenDrop(from, blockingSplice(state, to, from, len))),
    '[method]output-stream.forward': waiting((state) => (to: OutputStream, from: InputStream) => thenDrop(from, forward(state, to, from))),
  }),
];

/**
 * For guests whose 0.2 streams are standard streams and files alone (a 0.3 component whose standard library still speaks 0.2): those
 * never make anybody wait, and a guest without waiting functions needs no stack that can be suspended.
 */
export const STREAMS_AT_ONCE: Capability['functions'] = {
  ...STREAM_FUNCTIONS,
  '[method]input-stream.blocking-read': plain((stream: InputStream, len: bigint) => stream.read(len)),
  '[method]input-stream.blocking-skip': plain(skip),
  '[method]output-stream.blocking-write-and-flush': plain(putAtOnce),
  '[method]output-stream.blocking-flush': plain((stream: OutputStream) => (stream.permit() === NO_MORE ? CLOSED : undefined)),
  '[method]output-stream.blocking-write-zeroes-and-flush': plain((stream: OutputStream, len: bigint) =>
    putAtOnce(stream, new Uint8Array(Number(len < WRITE_PERMIT_BYTES ? len : WRITE_PERMIT_BYTES)))),
  '[method]output-stream.blocking-splice': plain((to: OutputStream, from: InputStream, len: bigint) => splice(to, from, len)),
};

function putAtOnce(stream: OutputStream, contents: Uint8Array): Failed | undefined {
  return stream.permit() === NO_MORE ? CLOSED : stream.put(contents);
}
