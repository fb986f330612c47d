import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { closeBlobStores } from '#runtime/capability/blobstore/blob-store.js';
import { NO_GUEST_SETTINGS } from '#runtime/capability/guest-settings.js';
import { bytes, TestGuest, text } from './guest-state.js';
import { InterfaceGuests, notCalled, okOf } from './interface-guest.js';

const MAX_BYTES = 200_000;
const ALL = (1n << 64n) - 1n;

let guest: TestGuest;
let guests: InterfaceGuests;
const use = (blobstoreBytes: number) => {
  guest = new TestGuest({ settings: { ...NO_GUEST_SETTINGS, blobstoreBytes } });
  guests = new InterfaceGuests(guest);
};
beforeEach(() => use(MAX_BYTES));
afterEach(() => {
  closeBlobStores();
  guest.dispose();
});
afterAll(() => expect(notCalled().filter((each) => each.includes('blobstore'))).toEqual([]));

const blobs = (name: string, ...args: unknown[]) => guests.of('wasi:blobstore/blobstore@0.2.0-draft')(name, ...args);
const container = (name: string, ...args: unknown[]) => guests.of('wasi:blobstore/container@0.2.0-draft')(`[method]container.${name}`, ...args);
const types = (name: string, ...args: unknown[]) => guests.of('wasi:blobstore/types@0.2.0-draft')(name, ...args);
const streams = (name: string, ...args: unknown[]) => guests.of('wasi:io/streams@0.2.2')(name, ...args);
const error = (val: unknown) => ({ tag: 'err', val });

const make = async (name = 'pictures') => okOf(await blobs('create-container', name));
/** What comes of writing an object; `write` gives what the stream says of the last chunk. */
const write = async (to: unknown, name: string, ...chunks: (string | Uint8Array)[]) => {
  const value = await types('[static]outgoing-value.new-outgoing-value');
  const stream = okOf(await types('[method]outgoing-value.outgoing-value-write-body', value));
  okOf(await container('write-data', to, name, value));
  let last;
  for (const chunk of chunks) last = await streams('[method]output-stream.blocking-write-and-flush', stream, typeof chunk === 'string' ? bytes(chunk) : chunk);
  return { value, last, finished: await types('[static]outgoing-value.finish', value) };
};
const put = async (to: unknown, name: string, content: string) => okOf((await write(to, name, content)).finished);
const content = async (from: unknown, name: string, start = 0n, end = ALL) =>
  text(okOf(await types('[static]incoming-value.incoming-value-consume-sync', okOf(await container('get-data', from, name, start, end)))));
const names = async (of: unknown) => {
  const found = okOf(await container('list-objects', of));
  return okOf<[string[], boolean]>(await guests.of('wasi:blobstore/container@0.2.0-draft')('[method]stream-object-names.read-stream-object-names', found, 100n))[0];
};
const files = (folder: string) => readdirSync(join(guest.grant.stateDir, 'blobstore', folder));

describe('wasi:blobstore', () => {
  it('has containers', async () => {
    expect(okOf(await blobs('container-exists', 'a/../b'))).toBe(false);
    const made = await make('a/../b');
    expect(okOf(await blobs('container-exists', 'a/../b'))).toBe(true);
    expect(okOf(await container('name', made))).toBe('a/../b');
    const { name, createdAt } = okOf(await container('info', made));
    expect(name).toBe('a/../b');
    expect(Math.abs(Number(createdAt) - Date.now() / 1000)).toBeLessThan(60);
    expect(await blobs('create-container', 'a/../b')).toEqual(error('the container exists already'));
    expect(await blobs('get-container', 'none')).toEqual(error('there is no such container'));
    await put(okOf(await blobs('get-container', 'a/../b')), 'x', '1');
    okOf(await blobs('delete-container', 'a/../b'));
    expect(await blobs('delete-container', 'a/../b')).toEqual(error('there is no such container'));
    expect(await container('has-object', made, 'x')).toEqual(error('there is no such container'));
    expect(files('data')).toEqual([]);
    for (const name of ['', 'a\0b', 'x'.repeat(1025)]) expect(await blobs('create-container', name)).toEqual(error('a name has 1 to 1024 bytes, none of them 0'));
  });

  it('keeps objects, of any name, streamed in and out', async () => {
    const made = await make();
    okOf((await write(made, '../../etc/passwd', 'hello ', 'world')).finished);
    await put(made, 'Ключ \u{1F511}', 'x');
    await put(made, 'empty', '');
    expect(await content(made, '../../etc/passwd')).toBe('hello world');
    expect(await content(made, '../../etc/passwd', 4n, 6n)).toBe('o w');
    expect(await content(made, '../../etc/passwd', 6n, 100n)).toBe('world');
    expect(await content(made, '../../etc/passwd', 100n, 200n)).toBe('');
    expect(await content(made, 'empty')).toBe('');
    expect(await container('get-data', made, 'empty', 2n, 1n)).toEqual(error('the range ends before it starts'));
    expect(await container('get-data', made, 'none', 0n, ALL)).toEqual(error('there is no such object'));
    expect(okOf(await container('object-info', made, '../../etc/passwd'))).toMatchObject({ name: '../../etc/passwd', container: 'pictures', size: 11n });
    expect(await names(made)).toEqual(['../../etc/passwd', 'empty', 'Ключ \u{1F511}']);
    const value = okOf(await container('get-data', made, '../../etc/passwd', 0n, ALL));
    expect(await types('[method]incoming-value.size', value)).toBe(11n);
    const stream = okOf(await types('[static]incoming-value.incoming-value-consume-async', value));
    expect(text(okOf(await streams('[method]input-stream.blocking-read', stream, 5n)))).toBe('hello');
    okOf(await container('delete-object', made, '../../etc/passwd'));
    okOf(await container('delete-object', made, '../../etc/passwd'));
    // what was asked for stays, whatever becomes of the object
    expect(text(okOf(await streams('[method]input-stream.blocking-read', stream, 100n)))).toBe(' world');
    expect(await streams('[method]input-stream.blocking-read', stream, 100n)).toEqual(error({ tag: 'closed' }));
    expect(okOf(await container('has-object', made, '../../etc/passwd'))).toBe(false);
    expect(files('incoming')).toEqual([]);
    expect(files('data')).toHaveLength(2);
  });

  it('replaces, copies, moves and deletes objects', async () => {
    const [from, to] = [await make('from'), await make('to')];
    await put(from, 'a', '1');
    await put(from, 'a', '2');
    const id = (name: string, object: string) => ({ container: name, object });
    okOf(await blobs('copy-object', id('from', 'a'), id('to', 'b')));
    await put(from, 'a', '3');
    expect([await content(from, 'a'), await content(to, 'b')]).toEqual(['3', '2']);
    okOf(await blobs('move-object', id('from', 'a'), id('to', 'b')));
    expect([await names(from), await names(to), await content(to, 'b')]).toEqual([[], ['b'], '3']);
    okOf(await blobs('move-object', id('to', 'b'), id('to', 'b')));
    expect(await content(to, 'b')).toBe('3');
    expect(await blobs('copy-object', id('from', 'none'), id('to', 'x'))).toEqual(error('there is no such object'));
    expect(await blobs('move-object', id('to', 'b'), id('none', 'x'))).toEqual(error('there is no such container'));
    for (const name of ['c', 'd', 'e']) await put(to, name, name);
    okOf(await container('delete-objects', to, ['b', 'c', 'none']));
    const list = okOf(await container('list-objects', to));
    expect(okOf(await guests.of('wasi:blobstore/container@0.2.0-draft')('[method]stream-object-names.skip-stream-object-names', list, 1n))).toEqual([1n, false]);
    expect(okOf(await guests.of('wasi:blobstore/container@0.2.0-draft')('[method]stream-object-names.read-stream-object-names', list, 5n))).toEqual([['e'], true]);
    okOf(await container('clear', to));
    expect([await names(to), files('data')]).toEqual([[], []]);
  });

  it('takes nothing that was not finished, and says what does not fit', async () => {
    const made = await make();
    const value = await types('[static]outgoing-value.new-outgoing-value');
    const stream = okOf(await types('[method]outgoing-value.outgoing-value-write-body', value));
    expect(await types('[method]outgoing-value.outgoing-value-write-body', value)).toEqual({ tag: 'err' });
    okOf(await container('write-data', made, 'a', value));
    okOf(await streams('[method]output-stream.blocking-write-and-flush', stream, bytes('half')));
    expect(files('incoming')).toHaveLength(1);
    guest.next();
    expect(files('incoming')).toEqual([]);
    expect(await names(made)).toEqual([]);
    expect(await types('[static]outgoing-value.finish', await types('[static]outgoing-value.new-outgoing-value'))).toEqual(error('the value was given to no container'));

    const { last, finished } = await write(made, 'big', new Uint8Array(150_000), new Uint8Array(100_000));
    expect(last).toMatchObject({ tag: 'err', val: { tag: 'last-operation-failed' } });
    expect(finished).toEqual(error('the app may keep 200000 bytes of objects'));
    okOf((await write(made, 'big', new Uint8Array(150_000))).finished);
    expect(await blobs('copy-object', { container: 'pictures', object: 'big' }, { container: 'pictures', object: 'two' })).toEqual(error('the app may keep 200000 bytes of objects'));
    expect([files('incoming'), files('data')]).toEqual([[], [expect.anything()]]);
    okOf(await blobs('move-object', { container: 'pictures', object: 'big' }, { container: 'pictures', object: 'two' }));
    let made200 = 0;
    while ((await blobs('create-container', `c${made200}`)).tag === 'ok') made200++;
    expect(made200).toBeLessThan(200);
  });

  it('holds few files open for an invocation', async () => {
    const made = await make();
    await put(made, 'a', '1');
    for (let i = 0; i < 64; i += 1) okOf(await container('get-data', made, 'a', 0n, ALL));
    expect(await container('get-data', made, 'a', 0n, ALL)).toEqual(error('an invocation may have 64 values open at a time'));
    guest.next();
    expect(await content(made, 'a')).toBe('1');
  });

  it('forgets what a process left half written', async () => {
    const incoming = join(guest.grant.stateDir, 'blobstore/incoming');
    mkdirSync(incoming, { recursive: true });
    writeFileSync(join(incoming, 'old'), '');
    writeFileSync(join(incoming, 'new'), '');
    utimesSync(join(incoming, 'old'), 1, 1);
    await make();
    expect(files('incoming')).toEqual(['new']);
  });

  it('is not there unless the operator allows it', async () => {
    guest.dispose();
    use(0);
    const denied = error('access denied: the operator allows no blobstore (WHORL_BLOBSTORE_BYTES)');
    expect(await blobs('create-container', 'a')).toEqual(denied);
    expect(await blobs('container-exists', 'a')).toEqual(denied);
    const value = await types('[static]outgoing-value.new-outgoing-value');
    const stream = okOf(await types('[method]outgoing-value.outgoing-value-write-body', value));
    expect((await streams('[method]output-stream.blocking-write-and-flush', stream, bytes('x'))).tag).toBe('err');
    expect(await types('[static]outgoing-value.finish', value)).toEqual(denied);
    expect(() => files('.')).toThrow('ENOENT');
  });
});
