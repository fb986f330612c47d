import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BytePipe } from '#runtime/capability/byte-pipe.js';
import { NO_GUEST_SETTINGS } from '#runtime/capability/guest-settings.js';
import { bytes, TestGuest, text } from './guest-state.js';
import { InterfaceGuests, notCalled, okOf } from './interface-guest.js';

const dir = mkdtempSync(join(tmpdir(), 'whorl-wasi-'));
writeFileSync(join(dir, 'a'), 'content');
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const RC_10_18 = '0.2.0-rc-2023-10-18';
const RC_11_10 = '0.2.0-rc-2023-11-10';
const VERSIONS = [RC_10_18, RC_11_10, '0.2.12'];
const NONE = { create: false, directory: false, exclusive: false, truncate: false };
const CREATE = { ...NONE, create: true };
const READ = { read: true, write: false, fileIntegritySync: false, dataIntegritySync: false, requestedWriteSync: false, mutateDirectory: false };
const WRITE = { ...READ, write: true };
const MODES = { readable: true, writable: false, executable: false };

let guest: TestGuest;
let guests: InterfaceGuests;
beforeEach(() => {
  const files = [{ path: '/a', localPath: join(dir, 'a'), bytes: 7 }];
  guest = new TestGuest({ environment: [['A', '1']], files, settings: { ...NO_GUEST_SETTINGS, tmpBytes: 100_000 } }, { args: ['main'] });
  guests = new InterfaceGuests(guest);
});
afterEach(() => guest.dispose());
afterAll(() => expect(notCalled()).toEqual([]));

describe.each(VERSIONS)('a guest of WASI %s', (version) => {
  const is1018 = version === RC_10_18;
  const wasi = (name: string) => guests.of(`wasi:${name}@${version}`);

  it('has arguments, environment and no terminal', async () => {
    const environment = wasi('cli/environment');
    expect(await environment('get-environment')).toEqual([['A', '1']]);
    expect(await environment('get-arguments')).toEqual(['main']);
    expect(await environment('initial-cwd')).toBeUndefined();
    for (const name of ['stdin', 'stdout', 'stderr']) expect(await wasi(`cli/terminal-${name}`)(`get-terminal-${name}`)).toBeUndefined();
  });

  it('ends by exit', async () => {
    await expect(wasi('cli/exit')('exit', { tag: 'err' })).rejects.toMatchObject({ code: 1 });
    if (!version.includes('rc')) await expect(new InterfaceGuests(guest).of(`wasi:cli/exit@${version}`)('exit-with-code', 7)).rejects.toMatchObject({ code: 7 });
  });

  it('knows the time, and waits for it', async () => {
    const [clock, wall, poll] = [wasi('clocks/monotonic-clock'), wasi('clocks/wall-clock'), wasi('io/poll')];
    const start = await clock('now');
    expect(await clock('resolution')).toBe(1n);
    const { seconds } = await wall('now');
    expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(5);
    expect(await wall('resolution')).toEqual({ seconds: 0n, nanoseconds: 1_000_000 });
    if (is1018) {
      const [past, later, soon] = [await clock('subscribe', start, true), await clock('subscribe', 60_000_000_000n, false), await clock('subscribe', 5_000_000n, false)];
      expect(await poll('poll-list', [later, past])).toEqual(Uint32Array.of(1));
      await poll('poll-one', soon);
      expect(await wasi('clocks/timezone')('display', { seconds: 0n, nanoseconds: 0 })).toEqual({ utcOffset: 0, name: 'UTC', inDaylightSavingTime: false });
      expect(await wasi('clocks/timezone')('utc-offset', { seconds: 0n, nanoseconds: 0 })).toBe(0);
    } else {
      const [past, later, soon] = [await clock('subscribe-instant', start), await clock('subscribe-duration', 60_000_000_000n), await clock('subscribe-duration', 5_000_000n)];
      expect(await poll('poll', [later, past])).toEqual(Uint32Array.of(1));
      await poll('[method]pollable.block', soon);
      expect(await poll('[method]pollable.ready', soon)).toBe(true);
    }
    expect((await clock('now')) - start).toBeGreaterThanOrEqual(5_000_000n);
  });

  it('has random numbers', async () => {
    expect(await wasi('random/random')('get-random-bytes', 16n)).toHaveLength(16);
    expect(typeof (await wasi('random/random')('get-random-u64'))).toBe('bigint');
    expect(await wasi('random/insecure')('get-insecure-random-bytes', 3n)).toHaveLength(3);
    expect(typeof (await wasi('random/insecure')('get-insecure-random-u64'))).toBe('bigint');
    expect(await wasi('random/insecure-seed')('insecure-seed')).toHaveLength(2);
  });

  it('reads and writes its standard streams', async () => {
    const [stdin, stdout] = [new BytePipe(), new BytePipe()];
    guest.next({ stdin, stdout });
    const streams = wasi('io/streams');
    const [input, output, errors] = [await wasi('cli/stdin')('get-stdin'), await wasi('cli/stdout')('get-stdout'), await wasi('cli/stderr')('get-stderr')];
    stdin.write(bytes('0123456789abcdefghij'));
    expect(text(okOf(await streams('[method]input-stream.read', input, 2n)))).toBe('01');
    expect(okOf(await streams('[method]input-stream.skip', input, 2n))).toBe(2n);
    expect(okOf(await streams('[method]input-stream.blocking-skip', input, 1n))).toBe(1n);
    expect(text(okOf(await streams('[method]input-stream.blocking-read', input, 2n)))).toBe('56');
    expect(okOf(await streams('[method]output-stream.splice', output, input, 2n))).toBe(2n);
    // the first candidate has taken the stream for good, and what was read ahead with it
    if (is1018) stdin.write(bytes('9abcdefghij'));
    expect(okOf(await streams('[method]output-stream.blocking-splice', output, input, 2n))).toBe(2n);
    if (is1018) stdin.write(bytes('bcdefghij'));
    expect(Number(okOf(await streams('[method]output-stream.check-write', output)))).toBeGreaterThan(0);
    okOf(await streams('[method]output-stream.write', output, bytes('W')));
    okOf(await streams('[method]output-stream.flush', output));
    okOf(await streams('[method]output-stream.blocking-flush', output));
    okOf(await streams('[method]output-stream.write-zeroes', output, 1n));
    okOf(await streams('[method]output-stream.blocking-write-zeroes-and-flush', output, 1n));
    okOf(await streams('[method]output-stream.blocking-write-and-flush', errors, bytes('oops')));
    expect(await streams('[method]input-stream.subscribe', input)).toBe(input);
    expect(await streams('[method]output-stream.subscribe', output)).toBe(output);
    stdin.end();
    if (is1018) expect(okOf(await streams('[method]output-stream.forward', output, input))).toBe(9n);
    expect(text(stdout.read(100) as Uint8Array)).toBe('78');
    expect(text(stdout.read(100) as Uint8Array)).toBe('9a');
    expect(guest.output.stderr).toBe('oops');
  });

  it('reads its files, and is told what went wrong', async () => {
    const types = wasi('filesystem/types');
    const [[root, path], [tmp]] = await wasi('filesystem/preopens')('get-directories');
    expect(path).toBe('/');
    const open = async (from: unknown, name: string, how = NONE, flags = READ) =>
      okOf(await types('[method]descriptor.open-at', from, { symlinkFollow: true }, name, how, flags, ...(is1018 ? [MODES] : [])));
    const file = await open(root, 'a');
    expect(okOf(await types('[method]descriptor.read', file, 4n, 3n))).toEqual([bytes('tent'), true].map((each) => (each === true ? true : new Uint8Array(each as Uint8Array))));
    expect(okOf(await types('[method]descriptor.get-type', file))).toBe('regular-file');
    expect(okOf(await types('[method]descriptor.stat', file))).toMatchObject({ type: 'regular-file', size: 7n });
    expect(okOf(await types('[method]descriptor.metadata-hash', file))).toEqual(okOf(await types('[method]descriptor.metadata-hash-at', root, { symlinkFollow: true }, 'a')));
    expect(await types('[method]descriptor.is-same-object', file, await open(root, 'a'))).toBe(true);
    expect(await types('[method]descriptor.write', file, bytes('x'), 0n)).toEqual({ tag: 'err', val: 'read-only' });
    const entries = okOf(await types('[method]descriptor.read-directory', root));
    expect(okOf(await types('[method]directory-entry-stream.read-directory-entry', entries))).toEqual({ type: 'regular-file', name: 'a' });
    expect(okOf(await types('[method]descriptor.advise', file, 0n, 1n, 'normal'))).toBeUndefined();
    if (is1018) {
      const access = (type: unknown) => types('[method]descriptor.access-at', root, { symlinkFollow: true }, 'a', type);
      expect(await access({ tag: 'exists' })).toEqual({ tag: 'ok' });
      expect(await access({ tag: 'access', val: MODES })).toEqual({ tag: 'ok' });
      expect(await access({ tag: 'access', val: { ...MODES, writable: true } })).toEqual({ tag: 'err', val: 'read-only' });
      expect(await access({ tag: 'access', val: { ...MODES, executable: true } })).toEqual({ tag: 'err', val: 'access' });
      for (const name of ['file', 'directory']) expect(await types(`[method]descriptor.change-${name}-permissions-at`, root, { symlinkFollow: true }, 'a', MODES)).toEqual({ tag: 'err', val: 'unsupported' });
      for (const name of ['lock-shared', 'lock-exclusive', 'try-lock-shared', 'try-lock-exclusive', 'unlock']) expect(await types(`[method]descriptor.${name}`, file)).toEqual({ tag: 'err', val: 'unsupported' });
    }

    const made = await open(tmp, 'b', CREATE, WRITE);
    const streams = wasi('io/streams');
    expect(okOf(await types('[method]descriptor.write', made, bytes('hello'), 0n))).toBe(5n);
    okOf(await streams('[method]output-stream.blocking-write-and-flush', okOf(await types('[method]descriptor.write-via-stream', made, 1n)), bytes('E')));
    const appending = okOf(await types('[method]descriptor.append-via-stream', made));
    okOf(await streams('[method]output-stream.blocking-write-and-flush', appending, bytes('!')));
    expect(text(okOf(await streams('[method]input-stream.blocking-read', okOf(await types('[method]descriptor.read-via-stream', made, 0n)), 100n)))).toBe('hEllo!');
    const { tag, val } = await streams('[method]output-stream.blocking-write-and-flush', appending, new Uint8Array(100_000));
    expect(tag).toBe('err');
    expect(await types('filesystem-error-code', val.val)).toBe('insufficient-space');
    expect(await (is1018 ? streams : wasi('io/error'))('[method]error.to-debug-string', val.val)).toBe('there is no room in /tmp');
    okOf(await types('[method]descriptor.set-size', made, 3n));
    expect(okOf(await types('[method]descriptor.get-flags', made))).toEqual(WRITE);
    okOf(await types('[method]descriptor.sync', made));
    okOf(await types('[method]descriptor.sync-data', made));
    const at = { tag: 'timestamp', val: { seconds: 5n, nanoseconds: 0 } };
    okOf(await types('[method]descriptor.set-times', made, at, { tag: 'no-change' }));
    okOf(await types('[method]descriptor.set-times-at', tmp, { symlinkFollow: true }, 'b', { tag: 'no-change' }, at));
    expect(okOf(await types('[method]descriptor.stat-at', tmp, { symlinkFollow: true }, 'b'))).toMatchObject({ size: 3n, dataAccessTimestamp: at.val, dataModificationTimestamp: at.val });
    okOf(await types('[method]descriptor.create-directory-at', tmp, 'd'));
    okOf(await types('[method]descriptor.rename-at', tmp, 'b', tmp, 'd/b'));
    okOf(await types('[method]descriptor.unlink-file-at', tmp, 'd/b'));
    okOf(await types('[method]descriptor.remove-directory-at', tmp, 'd'));
    expect(await types('[method]descriptor.link-at', tmp, { symlinkFollow: true }, 'a', tmp, 'b')).toEqual({ tag: 'err', val: 'not-permitted' });
    expect(await types('[method]descriptor.symlink-at', tmp, 'a', 'b')).toEqual({ tag: 'err', val: 'not-permitted' });
    expect(await types('[method]descriptor.readlink-at', tmp, 'b')).toEqual({ tag: 'err', val: 'no-entry' });
  });
});
