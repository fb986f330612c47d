import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { hostStream, EOF as PIPE_EOF, type Pipe } from '#engine/run/pipe.js';
import { BytePipe } from '#runtime/capability/byte-pipe.js';
import { GuestExit } from '#runtime/capability/cli/guest-exit.js';
import { bytes, drain, TestGuest, text } from './guest-state.js';

let guest: TestGuest;
beforeEach(() => {
  guest = new TestGuest(
    { environment: [['A', '1']], variables: new Map([['greeting', 'hi']]) },
    { args: ['main', 'x'], environment: [['B', '2']] },
  );
});
afterEach(() => guest.dispose());

const valueOf = (future: Pipe) => new Promise((resolve) => { future.attach({ value: resolve }); });

describe('wasi:cli', () => {
  it.each(['0.2.6', '0.3.0'])('gives environment and arguments of the grant and of the invocation (%s)', (version) => {
    const cli = guest.calls(`wasi:cli/environment@${version}`);
    expect(cli('get-environment')).toEqual([['A', '1'], ['B', '2']]);
    expect(cli('get-arguments')).toEqual(['main', 'x']);
    expect(cli(version === '0.2.6' ? 'initial-cwd' : 'get-initial-cwd')).toBeUndefined();
    expect(guest.calls(`wasi:cli/terminal-stdout@${version}`)('get-terminal-stdout')).toBeUndefined();
  });

  it('ends the invocation on exit', () => {
    const exit = guest.calls('wasi:cli/exit@0.2.0');
    expect(() => exit('exit', { tag: 'ok', val: undefined })).toThrow(GuestExit);
    expect(() => exit('exit', { tag: 'err', val: undefined })).toThrow(expect.objectContaining({ code: 1 }));
    expect(() => exit('exit-with-code', 7)).toThrow(expect.objectContaining({ code: 7 }));
  });

  it('writes to the log of the invocation at hand, with a stream taken long before', () => {
    const stream = guest.calls('wasi:cli/stderr@0.2.0')('get-stderr');
    const io = guest.calls('wasi:io/streams@0.2.0');
    guest.next();
    let later = '';
    guest.next({ write: (name, chunk) => { later += `${name}:${Buffer.from(chunk).toString()}`; } });
    expect(io('[method]output-stream.blocking-write-and-flush', stream, bytes('oops\n'))).toBeUndefined();
    expect(later).toBe('stderr:oops\n');
  });

  it('has an empty stdin for requests', () => {
    const stream = guest.calls('wasi:cli/stdin@0.2.0')('get-stdin');
    expect(guest.calls('wasi:io/streams@0.2.0')('[method]input-stream.blocking-read', stream, 1n)).toMatchObject({ payload: { tag: 'closed' } });
  });

  it('reads stdin and writes stdout of a command, and keeps nothing of it for the next', async () => {
    const io = guest.calls('wasi:io/streams@0.2.0');
    const stdin = guest.calls('wasi:cli/stdin@0.2.0')('get-stdin');
    const stdout = guest.calls('wasi:cli/stdout@0.2.0')('get-stdout');
    const [input, output] = [new BytePipe(), new BytePipe()];
    guest.next({ stdin: input, stdout: output });
    input.write(bytes('secret'));
    expect(text(io('[method]input-stream.blocking-read', stdin, 2n))).toBe('se');
    expect(guest.calls('wasi:io/poll@0.2.0')('[method]pollable.ready', stdin)).toBe(true);
    io('[method]output-stream.blocking-write-and-flush', stdout, bytes('out'));
    output.end();
    expect(await drain(output)).toBe('out');
    const next = new BytePipe();
    guest.next({ stdin: next });
    next.write(bytes('other'));
    expect(text(io('[method]input-stream.blocking-read', stdin, 100n))).toBe('other');
  });

  it('takes and gives streams with 0.3', async () => {
    const chunks = [bytes('a'), bytes('b')];
    const written = guest.calls('wasi:cli/stdout@0.3.0')('write-via-stream', hostStream({ pull: () => chunks.shift() ?? PIPE_EOF }));
    expect(await valueOf(written)).toEqual({ tag: 'ok', val: undefined });
    expect(guest.output.stdout).toBe('ab');
    const input = new BytePipe();
    guest.next({ stdin: input });
    const [stream, result] = guest.calls('wasi:cli/stdin@0.3.0')('read-via-stream');
    let read = '';
    const ended = new Promise<void>((resolve) => { stream.attach({ write: (chunk: Uint8Array) => { read += text(chunk); return true; }, end: () => resolve() }); });
    input.write(bytes('late'));
    input.end();
    await ended;
    expect([read, await valueOf(result)]).toEqual(['late', { tag: 'ok', val: undefined }]);
  });
});

describe('wasi:clocks', () => {
  it('runs forward and wakes no earlier than asked', async () => {
    const clock = guest.calls('wasi:clocks/monotonic-clock@0.2.0');
    const poll = guest.calls('wasi:io/poll@0.2.0');
    const start = clock('now') as bigint;
    const soon = clock('subscribe-duration', 20_000_000n);
    const later = clock('subscribe-instant', start + 10_000_000_000n);
    expect(poll('[method]pollable.ready', soon)).toBe(false);
    expect(await poll('poll', [later, soon])).toEqual(Uint32Array.of(1));
    expect((clock('now') as bigint) - start).toBeGreaterThanOrEqual(20_000_000n);
    expect(poll('poll', [clock('subscribe-instant', start), later])).toEqual(Uint32Array.of(0));
    expect(() => poll('poll', [])).toThrow('empty list');
  });

  it('says what day it is', () => {
    const seconds = BigInt(Math.floor(Date.now() / 1000));
    for (const iface of ['wasi:clocks/wall-clock@0.2.0', 'wasi:clocks/system-clock@0.3.0']) {
      const now = guest.calls(iface)('now');
      expect(now.seconds - seconds).toBeLessThanOrEqual(1n);
      expect(now.nanoseconds).toBeLessThan(1_000_000_000);
    }
  });

  it('waits with 0.3: at once for the past, until cancelled, and never past the invocation', async () => {
    const clock = guest.calls('wasi:clocks/monotonic-clock@0.3.0');
    expect(clock('wait-until', clock('now'))).toBeUndefined();
    await clock('wait-for', 5_000_000n);
    const cancelled = clock('wait-for', 1n << 63n);
    cancelled.abort();
    await cancelled;
    const endless = clock('wait-for', 1n << 63n);
    guest.hangUp();
    await expect(endless).rejects.toThrow('cancelled');
  });
});

describe('wasi:random', () => {
  it('gives as many bytes as asked, other ones each time', () => {
    const random = guest.calls('wasi:random/random@0.2.0');
    const seen = new Set<string>();
    for (let i = 0; i < 1000; i += 1) {
      const chunk = random('get-random-bytes', 16n) as Uint8Array;
      expect(chunk).toHaveLength(16);
      seen.add(Buffer.from(chunk).toString('hex'));
    }
    expect(seen.size).toBe(1000);
    expect(random('get-random-bytes', 100_000n)).toHaveLength(100_000);
    expect(random('get-random-bytes', 0n)).toHaveLength(0);
    expect(() => random('get-random-bytes', 1n << 40n)).toThrow(expect.objectContaining({ limit: 'allocation' }));
    expect(random('get-random-u64')).not.toBe(random('get-random-u64'));
  });

  it('keeps one insecure seed for an invocation and draws another for the next', () => {
    const seed = guest.host('wasi:random/insecure-seed@0.2.0', 'insecure-seed');
    const first = seed();
    expect(seed()).toEqual(first);
    guest.next();
    expect(seed()).not.toEqual(first);
  });
});

describe('fermyon:spin/variables', () => {
  it('gives a value, or Spin’s error', () => {
    const variables = guest.calls('fermyon:spin/variables@2.0.0');
    expect(variables('get', 'greeting')).toBe('hi');
    expect(variables('get', 'non_existent')).toMatchObject({ payload: { tag: 'undefined', val: 'no variable for "main"."non_existent"' } });
    expect(variables('get', 'invalid-name')).toMatchObject({ payload: { tag: 'invalid-name' } });
    expect(variables('get', '4invalidname').payload.val).toBe('"4invalidname": must start with a lowercase ASCII letter');
  });
});
