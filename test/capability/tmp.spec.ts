import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EOF as PIPE_EOF, hostStream, type Pipe } from '#engine/run/pipe.js';
import { NO_GUEST_SETTINGS } from '#runtime/capability/guest-settings.js';
import { bytes, ok, TestGuest, text } from './guest-state.js';

const TMP_BYTES = 100_000;
const NONE = { create: false, directory: false, exclusive: false, truncate: false };
const CREATE = { ...NONE, create: true };
const READ = { read: true, write: false, fileIntegritySync: false, dataIntegritySync: false, requestedWriteSync: false, mutateDirectory: false };
const WRITE = { ...READ, write: true };

let guest: TestGuest;
beforeEach(() => { guest = new TestGuest({ settings: { ...NO_GUEST_SETTINGS, tmpBytes: TMP_BYTES } }); });
afterEach(() => guest.dispose());

const tmp = (version = '0.2.6') => guest.calls(`wasi:filesystem/preopens@${version}`)('get-directories')[0][0];
const fs = (name: string, ...args: unknown[]) => guest.calls('wasi:filesystem/types@0.2.6')(`[method]descriptor.${name}`, ...args);
const open = (path: string, how = CREATE, flags = WRITE, from = tmp()) => fs('open-at', from, {}, path, how, flags);
const put = (path: string, content: string) => {
  const file = ok(open(path));
  expect(fs('write', file, bytes(content), 0n)).toBe(BigInt(content.length));
  return file;
};
const content = (path: string) => text(fs('read', ok(open(path, NONE, READ)), 1_000_000n, 0n)[0]);
const fault = (code: string) => expect.objectContaining({ payload: code });
const names = (path = '.') => {
  const stream = ok(fs('read-directory', ok(open(path, { ...NONE, directory: true }, READ))));
  const found: string[] = [];
  for (;;) {
    const entry = guest.calls('wasi:filesystem/types@0.2.6')('[method]directory-entry-stream.read-directory-entry', stream);
    if (!entry) return found.sort();
    found.push(entry.name);
  }
};

describe('/tmp', () => {
  it('is there when the operator allows one, and nothing else is', () => {
    expect(guest.calls('wasi:filesystem/preopens@0.3.0')('get-directories').map(([, path]: [unknown, string]) => path)).toEqual(['/tmp']);
    const none = new TestGuest();
    expect(none.calls('wasi:filesystem/preopens@0.2.6')('get-directories')).toEqual([]);
    none.dispose();
    expect(fs('get-flags', tmp())).toMatchObject({ read: true, mutateDirectory: true });
  });

  it('keeps what is written, at any offset', () => {
    const file = put('a', 'hello');
    fs('write', file, bytes('HE'), 0n);
    fs('write', file, bytes('!'), 7n);
    expect(content('a')).toBe('HEllo\0\0!');
    expect(fs('read', file, 3n, 1n)).toEqual([expect.anything(), false]);
    expect(fs('read', file, 3n, 100n)).toEqual([expect.objectContaining({ length: 0 }), true]);
    expect(fs('stat', file)).toMatchObject({ type: 'regular-file', size: 8n, linkCount: 1n });
    expect(fs('sync', file)).toBeUndefined();
    expect(fs('get-flags', file)).toMatchObject({ read: true, write: true, mutateDirectory: false });
  });

  it('opens as it is asked to', () => {
    put('a', 'hello');
    expect(open('a', { ...CREATE, exclusive: true })).toEqual(fault('exist'));
    expect(open('b', NONE)).toEqual(fault('no-entry'));
    expect(open('a', { ...NONE, directory: true })).toEqual(fault('not-directory'));
    expect(open('.', NONE, WRITE)).toEqual(fault('is-directory'));
    expect(open('x/', CREATE)).toEqual(fault('is-directory'));
    expect(open('/a', CREATE)).toEqual(fault('not-permitted'));
    expect(open('../a', CREATE)).toEqual(fault('not-permitted'));
    expect(open('no/b', CREATE)).toEqual(fault('no-entry'));
    expect(open('a/b', CREATE)).toEqual(fault('not-directory'));
    expect(open('x', { ...CREATE, directory: true })).toEqual(fault('invalid'));
    expect(open('x'.repeat(256), CREATE)).toEqual(fault('name-too-long'));
    ok(open('a', { ...NONE, truncate: true }));
    expect(content('a')).toBe('');
    const readable = ok(open('a', NONE, READ));
    expect(fs('write', readable, bytes('x'), 0n)).toEqual(fault('bad-descriptor'));
    expect(fs('set-size', readable, 1n)).toEqual(fault('bad-descriptor'));
    expect(fs('read', ok(open('a', NONE, { ...WRITE, read: false })), 1n, 0n)).toEqual(fault('bad-descriptor'));
  });

  it('has folders', () => {
    expect(fs('create-directory-at', tmp(), 'd')).toBeUndefined();
    expect(fs('create-directory-at', tmp(), 'd/e/')).toBeUndefined();
    expect(fs('create-directory-at', tmp(), 'd')).toEqual(fault('exist'));
    expect(fs('create-directory-at', tmp(), '.')).toEqual(fault('exist'));
    expect(fs('create-directory-at', tmp(), 'no/e')).toEqual(fault('no-entry'));
    put('d/e/f', '1');
    expect(names('d')).toEqual(['e']);
    expect(fs('get-type', ok(open('d', NONE, READ)))).toBe('directory');
    expect(fs('remove-directory-at', tmp(), 'd/e')).toEqual(fault('not-empty'));
    expect(fs('remove-directory-at', tmp(), 'd/e/f')).toEqual(fault('not-directory'));
    expect(fs('unlink-file-at', tmp(), 'd/e')).toEqual(fault('is-directory'));
    expect(fs('unlink-file-at', tmp(), 'd/e/f')).toBeUndefined();
    expect(fs('unlink-file-at', tmp(), 'd/e/f')).toEqual(fault('no-entry'));
    const removed = ok(open('d/e', NONE, READ));
    expect(fs('remove-directory-at', tmp(), 'd/e')).toBeUndefined();
    expect(open('x', CREATE, WRITE, removed)).toEqual(fault('no-entry'));
    expect(fs('remove-directory-at', tmp(), '.')).toEqual(fault('invalid'));
    expect(names()).toEqual(['d']);
    // what was handed on leads nowhere else
    expect(open('../a', CREATE, WRITE, ok(open('d', NONE, READ)))).toEqual(fault('not-permitted'));
  });

  it('renames as rename(2) does', () => {
    put('a', 'A');
    put('b', 'B');
    for (const path of ['d', 'd/e', 'full', 'empty']) fs('create-directory-at', tmp(), path);
    put('full/x', 'X');
    const rename = (from: string, to: string) => fs('rename-at', tmp(), from, tmp(), to);
    expect(rename('a', 'b')).toBeUndefined();
    expect(content('b')).toBe('A');
    expect(rename('b', 'b')).toBeUndefined();
    expect(rename('b', 'd/b')).toBeUndefined();
    expect(rename('a', 'c')).toEqual(fault('no-entry'));
    expect(rename('d/b', 'empty')).toEqual(fault('is-directory'));
    expect(rename('d/b', 'new/')).toEqual(fault('not-directory'));
    expect(rename('d', 'd/b')).toEqual(fault('invalid'));
    expect(rename('d', 'd/e/x')).toEqual(fault('invalid'));
    expect(rename('d', 'full')).toEqual(fault('not-empty'));
    expect(rename('full', 'd/b')).toEqual(fault('not-directory'));
    expect(rename('full', 'empty')).toBeUndefined();
    expect(names('empty')).toEqual(['x']);
    expect(names()).toEqual(['d', 'empty']);
    // a folder knows where it is now
    expect(rename('empty', 'd/e/empty')).toBeUndefined();
    expect(rename('d', 'd/e/empty/d')).toEqual(fault('invalid'));
  });

  it('has no links', () => {
    put('a', '');
    expect(fs('symlink-at', tmp(), '/etc/passwd', 's')).toEqual(fault('not-permitted'));
    expect(fs('link-at', tmp(), {}, 'a', tmp(), 'b')).toEqual(fault('not-permitted'));
    expect(fs('readlink-at', tmp(), 'a')).toEqual(fault('invalid'));
    expect(names()).toEqual(['a']);
  });

  it('knows one file from another, and when it was changed', () => {
    const file = put('a', 'x');
    put('b', 'x');
    const hashAt = (path: string) => fs('metadata-hash-at', tmp(), {}, path);
    expect(fs('metadata-hash', file)).toEqual(hashAt('a'));
    expect(hashAt('a')).not.toEqual(hashAt('b'));
    expect(fs('is-same-object', file, ok(open('a', NONE, READ)))).toBe(true);
    expect(fs('is-same-object', file, ok(open('b', NONE, READ)))).toBe(false);
    const at = { seconds: 1_000n, nanoseconds: 5 };
    expect(fs('set-times', file, { tag: 'no-change' }, { tag: 'timestamp', val: at })).toBeUndefined();
    expect(fs('stat-at', tmp(), {}, 'a')).toMatchObject({ dataModificationTimestamp: at, dataAccessTimestamp: { seconds: expect.anything() } });
    expect(fs('set-times-at', tmp(), {}, 'a', { tag: 'timestamp', val: at }, { tag: 'now' })).toBeUndefined();
    const { dataAccessTimestamp, dataModificationTimestamp } = fs('stat', file);
    expect(dataAccessTimestamp).toEqual(at);
    expect(Number(dataModificationTimestamp.seconds)).toBeGreaterThan(1_000_000);
    expect(fs('set-times-at', tmp(), {}, 'none', { tag: 'now' }, { tag: 'now' })).toEqual(fault('no-entry'));
  });

  it('streams with 0.2', () => {
    const io = guest.calls('wasi:io/streams@0.2.6');
    const file = ok(open('a'));
    const at2 = ok(fs('write-via-stream', file, 2n));
    expect(io('[method]output-stream.blocking-write-and-flush', at2, bytes('cd'))).toBeUndefined();
    expect(io('[method]output-stream.blocking-write-and-flush', at2, bytes('ef'))).toBeUndefined();
    expect(io('[method]output-stream.blocking-write-and-flush', ok(fs('append-via-stream', file)), bytes('gh'))).toBeUndefined();
    const source = ok(fs('read-via-stream', file, 3n));
    expect(text(io('[method]input-stream.blocking-read', source, 100n))).toBe('defgh');
    expect(io('[method]input-stream.blocking-read', source, 100n)).toMatchObject({ payload: { tag: 'closed' } });
  });

  it('streams with 0.3', async () => {
    const types = guest.calls('wasi:filesystem/types@0.3.0');
    const file = types('[method]descriptor.open-at', tmp('0.3.0'), {}, 'a', CREATE, WRITE);
    const chunks = [bytes('ab'), bytes('cd')];
    const valueOf = (future: Pipe) => new Promise((resolve) => { future.attach({ value: resolve }); });
    expect(await valueOf(types('[method]descriptor.write-via-stream', file, hostStream({ pull: () => chunks.shift() ?? PIPE_EOF }), 1n))).toEqual({ tag: 'ok', val: undefined });
    const more = [bytes('e')];
    expect(await valueOf(types('[method]descriptor.append-via-stream', file, hostStream({ pull: () => more.shift() ?? PIPE_EOF })))).toEqual({ tag: 'ok', val: undefined });
    expect(content('a')).toBe('\0abcde');
    let cut = false;
    const huge = hostStream({ pull: () => new Uint8Array(60_000), cancel: () => { cut = true; } });
    expect(await valueOf(types('[method]descriptor.append-via-stream', file, huge))).toEqual({ tag: 'err', val: { tag: 'insufficient-space' } });
    await new Promise(setImmediate);
    expect(cut).toBe(true);
  });
});

describe('the size of /tmp', () => {
  it('is what the operator says, names included', () => {
    const file = ok(open('a'));
    expect(fs('write', file, new Uint8Array(TMP_BYTES), 0n)).toEqual(fault('insufficient-space'));
    expect(fs('set-size', file, 1n << 40n)).toEqual(fault('insufficient-space'));
    expect(fs('set-size', file, 1n << 63n)).toEqual(fault('file-too-large'));
    expect(fs('write', file, bytes('x'), 1n << 60n)).toEqual(fault('file-too-large'));
    expect(fs('set-size', file, 90_000n)).toBeUndefined();
    expect(fs('stat', file)).toMatchObject({ size: 90_000n });
    const io = guest.calls('wasi:io/streams@0.2.6');
    const stream = ok(fs('append-via-stream', file));
    const failed = io('[method]output-stream.blocking-write-and-flush', stream, new Uint8Array(20_000));
    expect(guest.calls('wasi:filesystem/types@0.2.6')('filesystem-error-code', failed.payload.val)).toBe('insufficient-space');
    expect(io('[method]output-stream.check-write', stream)).toMatchObject({ payload: { tag: 'closed' } });
    let made = 0;
    while (fs('create-directory-at', tmp(), `folder-${made}`) === undefined) made++;
    expect(made).toBeLessThan(100);
    expect(fs('set-size', file, 10n)).toBeUndefined();
    expect(fs('create-directory-at', tmp(), 'again')).toBeUndefined();
  });

  it('is given back with the last descriptor of a file without a name', () => {
    for (let i = 0; i < 20; i += 1) {
      const file = put('a', 'x'.repeat(60_000));
      expect(fs('unlink-file-at', tmp(), 'a')).toBeUndefined();
      expect(fs('read', file, 10n, 0n)[0]).toHaveLength(10);
      expect(fs('write', ok(open('b')), new Uint8Array(60_000), 0n)).toEqual(fault('insufficient-space'));
      guest.host('wasi:filesystem/types@0.2.6', '[resource-drop]descriptor')(file);
    }
    expect(names()).toEqual(['b']);
  });

  it('counts as memory that is held for the invocation', () => {
    const before = guest.memory.heldBytes;
    put('a', 'x'.repeat(50_000));
    expect(guest.memory.heldBytes - before).toBeGreaterThan(50_000);
    expect(fs('unlink-file-at', tmp(), 'a')).toBeUndefined();
  });
});

describe('the next invocation', () => {
  it('finds an empty /tmp, also by a descriptor that was taken before', () => {
    const root = tmp();
    const file = put('secret', 'x');
    fs('create-directory-at', root, 'd');
    const folder = ok(open('d', NONE, READ));
    guest.next();
    expect(names()).toEqual([]);
    expect(open('secret', NONE, READ, root)).toEqual(fault('no-entry'));
    expect(fs('read', file, 1n, 0n)[0]).toHaveLength(0);
    expect(fs('write', file, bytes('y'), 0n)).toEqual(fault('insufficient-space'));
    expect(open('x', CREATE, WRITE, folder)).toEqual(fault('no-entry'));
    put('own', 'z');
    expect(guest.memory.heldBytes).toBeGreaterThan(0);
  });
});
