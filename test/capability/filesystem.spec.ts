import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EOF as PIPE_EOF, type Pipe } from '#engine/run/pipe.js';
import { ok, TestGuest, text } from './guest-state.js';

const dir = mkdtempSync(join(tmpdir(), 'whorl-files-'));
const file = (path: string, content: string | Uint8Array) => {
  const localPath = join(dir, path.replaceAll('/', '_'));
  writeFileSync(localPath, content);
  return { path, localPath, bytes: content.length };
};
const big = new Uint8Array(300_000).map((_, i) => i % 251);
const files = [file('/index.html', '<h1>hi</h1>'), file('/assets/big.bin', big), file('/assets/empty', '')];
afterAll(() => rmSync(dir, { recursive: true, force: true }));

let guest: TestGuest;
beforeEach(() => { guest = new TestGuest({ files }); });
afterEach(() => guest.dispose());

const NONE = { create: false, directory: false, exclusive: false, truncate: false };
const READ = { read: true, write: false, fileIntegritySync: false, dataIntegritySync: false, requestedWriteSync: false, mutateDirectory: false };

/** All elements of a stream that the host gives, and the value of its future. */
async function collect(stream: Pipe, result: Pipe): Promise<{ elements: unknown[]; result: unknown }> {
  const elements: unknown[] = [];
  await new Promise<void>((resolve) => {
    stream.attach({ write: (chunk) => { elements.push(...(chunk as unknown[])); return true; }, end: () => resolve() });
  });
  return { elements, result: await new Promise((resolve) => { result.attach({ value: resolve }); }) };
}

describe.each(['0.2.6', '0.3.0'])('wasi:filesystem@%s', (version) => {
  const isEnum = version.startsWith('0.2');
  const error = (code: string) => ({ payload: isEnum ? code : { tag: code } });
  const kind = (name: string) => (isEnum ? name : { tag: name });
  const fs = (name: string, ...args: unknown[]) => guest.calls(`wasi:filesystem/types@${version}`)(`[method]descriptor.${name}`, ...args);
  const root = () => guest.calls(`wasi:filesystem/preopens@${version}`)('get-directories')[0][0];
  const open = (path: string, flags: Partial<typeof NONE> = {}, mode: Partial<typeof READ> = {}) =>
    fs('open-at', root(), { symlinkFollow: true }, path, { ...NONE, ...flags }, { ...READ, ...mode });

  it('preopens / when there are files, and nothing when there are none', () => {
    expect(guest.calls(`wasi:filesystem/preopens@${version}`)('get-directories')).toEqual([[expect.anything(), '/']]);
    const bare = new TestGuest();
    expect(bare.calls(`wasi:filesystem/preopens@${version}`)('get-directories')).toEqual([]);
    bare.dispose();
  });

  it('tells types, sizes and identity', () => {
    const index = ok(open('index.html'));
    expect(fs('stat', index)).toMatchObject({ type: kind('regular-file'), size: 11n, linkCount: 1n });
    expect(fs('get-type', root())).toEqual(kind('directory'));
    expect(fs('stat-at', root(), {}, 'assets')).toMatchObject({ type: kind('directory') });
    expect(fs('get-flags', index)).toEqual(READ);
    expect(fs('is-same-object', index, ok(open('./assets/../index.html')))).toBe(true);
    expect(fs('is-same-object', index, root())).toBe(false);
    expect(fs('metadata-hash', index)).toEqual(fs('metadata-hash-at', root(), {}, 'index.html'));
    expect(fs('metadata-hash', index)).not.toEqual(fs('metadata-hash', root()));
  });

  it.each([
    ['missing', {}, {}, 'no-entry'],
    ['../etc/passwd', {}, {}, 'not-permitted'],
    ['/etc/passwd', {}, {}, 'not-permitted'],
    ['index.html/x', {}, {}, 'not-directory'],
    ['index.html', { directory: true }, {}, 'not-directory'],
    ['index.html', { create: true, exclusive: true }, {}, 'exist'],
    ['index.html', { truncate: true }, {}, 'read-only'],
    ['index.html', {}, { write: true }, 'read-only'],
    ['assets', { directory: true }, { mutateDirectory: true }, 'read-only'],
    ['new', { create: true }, { write: true }, 'read-only'],
  ])('does not open %s with %j %j: %s', (path, flags, mode, code) => {
    expect(open(path, flags, mode)).toMatchObject(error(code));
  });

  it('opens with create what is there, as POSIX does', () => {
    expect(fs('stat', ok(open('index.html', { create: true })))).toMatchObject({ size: 11n });
  });

  it('changes nothing', () => {
    const index = ok(open('index.html'));
    for (const [name, ...args] of [
      ['set-size', 0n], ['set-times', { tag: 'now' }, { tag: 'now' }], ['create-directory-at', 'x'], ['set-times-at', {}, 'x', { tag: 'now' }, { tag: 'now' }],
      ['link-at', {}, 'index.html', index, 'x'], ['remove-directory-at', 'assets'], ['rename-at', 'index.html', index, 'x'], ['symlink-at', 'a', 'b'],
      ['unlink-file-at', 'index.html'],
    ] as [string, ...unknown[]][]) expect(fs(name, root(), ...args)).toMatchObject(error('read-only'));
    expect(fs('readlink-at', root(), 'index.html')).toMatchObject(error('invalid'));
    expect(fs('sync', index)).toBeUndefined();
    expect(fs('advise', index, 0n, 0n, 'normal')).toBeUndefined();
  });
});

describe('reading files', () => {
  const open = (version: string, path: string) => {
    const root = guest.calls(`wasi:filesystem/preopens@${version}`)('get-directories')[0][0];
    return ok(guest.calls(`wasi:filesystem/types@${version}`)('[method]descriptor.open-at', root, {}, path, NONE, READ));
  };

  it('gives parts of a file with 0.2', () => {
    const fs = guest.calls('wasi:filesystem/types@0.2.6');
    const index = open('0.2.6', 'index.html');
    expect(fs('[method]descriptor.read', index, 4n, 0n)).toEqual([Buffer.from('<h1>'), false]);
    expect(fs('[method]descriptor.read', index, 100n, 4n)).toEqual([Buffer.from('hi</h1>'), true]);
    expect(fs('[method]descriptor.read', index, 100n, 1n << 60n)).toEqual([expect.objectContaining({ length: 0 }), true]);
    expect(fs('[method]descriptor.read', open('0.2.6', 'assets'), 1n, 0n)).toMatchObject({ payload: 'is-directory' });
    expect(fs('[method]descriptor.write', index, new Uint8Array(1), 0n)).toMatchObject({ payload: 'read-only' });
    expect(fs('[method]descriptor.append-via-stream', index)).toMatchObject({ payload: 'read-only' });
  });

  it('streams a file with 0.2', () => {
    const io = guest.calls('wasi:io/streams@0.2.6');
    const stream = ok(guest.calls('wasi:filesystem/types@0.2.6')('[method]descriptor.read-via-stream', open('0.2.6', 'assets/big.bin'), 7n));
    const chunks: Uint8Array[] = [];
    for (let chunk = io('[method]input-stream.blocking-read', stream, 50_000n); chunk instanceof Uint8Array; chunk = io('[method]input-stream.read', stream, 50_000n)) chunks.push(chunk);
    expect(Buffer.concat(chunks).equals(big.subarray(7))).toBe(true);
    const empty = ok(guest.calls('wasi:filesystem/types@0.2.6')('[method]descriptor.read-via-stream', open('0.2.6', 'assets/empty'), 0n));
    expect(io('[method]input-stream.read', empty, 1n)).toMatchObject({ payload: { tag: 'closed' } });
  });

  it('says that a file cannot be read, and not where it lies', () => {
    const fs = guest.calls('wasi:filesystem/types@0.2.6');
    const gone = new TestGuest({ files: [{ path: '/a', localPath: join(dir, 'no', 'such'), bytes: 5 }] });
    const a = ok(gone.calls('wasi:filesystem/types@0.2.6')('[method]descriptor.open-at', gone.calls('wasi:filesystem/preopens@0.2.6')('get-directories')[0][0], {}, 'a', NONE, READ));
    expect(fs('[method]descriptor.read', a, 5n, 0n)).toMatchObject({ payload: 'io' });
    const failed = guest.calls('wasi:io/streams@0.2.6')('[method]input-stream.read', ok(fs('[method]descriptor.read-via-stream', a, 0n)), 5n);
    const fault = failed.payload.val;
    expect(fs('filesystem-error-code', fault)).toBe('io');
    expect(guest.calls('wasi:io/error@0.2.6')('[method]error.to-debug-string', fault)).toBe('cannot read /a: ENOENT');
    gone.dispose();
  });

  it('lists directories', async () => {
    const fs = guest.calls('wasi:filesystem/types@0.2.6');
    const stream = ok(fs('[method]descriptor.read-directory', open('0.2.6', 'assets')));
    const next = () => fs('[method]directory-entry-stream.read-directory-entry', stream);
    expect([next(), next(), next()]).toEqual([{ type: 'regular-file', name: 'big.bin' }, { type: 'regular-file', name: 'empty' }, undefined]);
    expect(fs('[method]descriptor.read-directory', open('0.2.6', 'index.html'))).toMatchObject({ payload: 'not-directory' });
    const [entries, result] = guest.calls('wasi:filesystem/types@0.3.0')('[method]descriptor.read-directory', open('0.3.0', '.'));
    expect(await collect(entries, result)).toEqual({
      elements: [{ type: { tag: 'directory' }, name: 'assets' }, { type: { tag: 'regular-file' }, name: 'index.html' }],
      result: { tag: 'ok', val: undefined },
    });
  });

  it('streams with 0.3, and refuses what is written', async () => {
    const fs = guest.calls('wasi:filesystem/types@0.3.0');
    const [stream, result] = fs('[method]descriptor.read-via-stream', open('0.3.0', 'index.html'), 4n);
    const { elements, result: outcome } = await collect(stream, result);
    expect([text(Uint8Array.from(elements as number[])), outcome]).toEqual(['hi</h1>', { tag: 'ok', val: undefined }]);
    const [, refused] = fs('[method]descriptor.read-via-stream', open('0.3.0', 'assets'), 0n);
    expect(await new Promise((resolve) => { refused.attach({ value: resolve }); })).toEqual({ tag: 'err', val: { tag: 'is-directory' } });
    const { hostStream } = await import('#engine/run/pipe.js');
    let cancelled = false;
    const written = fs('[method]descriptor.write-via-stream', open('0.3.0', 'index.html'), hostStream({ pull: () => PIPE_EOF, cancel: () => { cancelled = true; } }), 0n);
    expect(await new Promise((resolve) => { written.attach({ value: resolve }); })).toEqual({ tag: 'err', val: { tag: 'read-only' } });
    expect(cancelled).toBe(true);
  });
});
