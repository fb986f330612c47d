import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { RuntimeGrant } from '#contract/runtime-grant.js';
import { LimitTrap, Trap } from '#engine/run/host.js';
import { Forwarder } from '../fixtures/forwarder.js';
import { hasRedis, startRedis } from '../fixtures/servers/redis.js';
import type { TestServer } from '../fixtures/servers/server-process.js';
import { bytes, ok, TestGuest } from './guest-state.js';

const V1 = 'fermyon:spin/redis';
const V2 = 'fermyon:spin/redis@2.0.0';
const V3 = 'spin:redis/redis@3.0.0';
const OPEN = '[static]connection.open';
const method = (name: string) => `[method]connection.${name}`;
const other = (val: unknown) => ({ payload: { tag: 'other', val } });
const binary = (text: string) => ({ tag: 'binary', val: new Uint8Array(bytes(text)) });

let guest: TestGuest;
let stray: Server | null = null;
const strays = new Set<Socket>();
const granted = (address: string, more: ConstructorParameters<typeof TestGuest>[0] = {}) => new TestGuest({ allowedOutboundHosts: [address], limits: { outboundRequests: 1_000, outboundConcurrency: 128, outboundConnections: 2_048 }, ...more });
afterEach(() => {
  guest?.dispose();
  for (const socket of strays) socket.destroy();
  stray?.close();
  stray = null;
});

/** A server that says what a test wants. */
async function listen(onData: (socket: Socket, data: string) => void): Promise<string> {
  stray = createServer((socket) => {
    strays.add(socket);
    socket.on('data', (chunk) => onData(socket, chunk.toString('latin1'))).on('error', () => undefined);
  });
  await new Promise<void>((resolve) => { stray!.listen(0, '127.0.0.1', resolve); });
  return `redis://127.0.0.1:${(stray.address() as AddressInfo).port}`;
}

describe('outbound redis, what needs no server', () => {
  it('refuses an address that the manifest does not allow, and says in the log which, without the password', () => {
    guest = granted('redis://other:6379');
    expect(guest.calls(V2)(OPEN, 'redis://me:hush@127.0.0.1:6379/1')).toMatchObject({ payload: { tag: 'invalid-address' } });
    expect(guest.notes).toEqual([
      "A component tried to make an outbound network connection to disallowed destination 'redis://127.0.0.1:6379'.",
      'To allow this request, add \'allowed_outbound_hosts = ["redis://127.0.0.1:6379"]\' to the manifest component section.',
    ]);
  });

  it('refuses what is no address, and one of a secure connection where only one in clear is allowed', async () => {
    guest = granted('redis://*:*');
    for (const address of ['', 'localhost', 'http://localhost:6379', 'redis://', 'rediss://localhost']) {
      expect(guest.calls(V2)(OPEN, address)).toMatchObject({ payload: { tag: 'invalid-address' } });
      expect(await guest.calls(V1)('get', address, 'key')).toMatchObject({ payload: 'error' });
    }
  });

  it('refuses an address that the platform does not open, whatever the manifest says', async () => {
    guest = granted('redis://*:*', { allowPrivateHosts: false });
    const refused = await guest.calls(V2)(OPEN, 'redis://localhost:6379');
    expect(refused).toMatchObject(other('the platform does not allow connections to the address'));
    expect(guest.notes).toHaveLength(1);
  });

  it('says that nobody listens', async () => {
    const address = await listen(() => undefined);
    await new Promise((resolve) => { stray!.close(resolve); });
    guest = granted(address);
    expect(await guest.calls(V2)(OPEN, address)).toMatchObject(other('the connection was refused'));
  });

  it('takes an answer over the cap for an error while it arrives', async () => {
    const address = await listen((socket) => socket.write('$200000000\r\n'));
    guest = granted(address);
    const call = guest.calls(V2);
    expect(await call(method('get'), ok(await call(OPEN, address)), 'k')).toMatchObject(other('query result exceeds limit of 134217728 bytes'));
  });

  it('ends an invocation for which more is held than it may have', async () => {
    const address = await listen((socket) => {
      socket.write('$100000000\r\n');
      for (let at = 0; at < 100; at++) socket.write(Buffer.alloc(1_000_000));
    });
    guest = granted(address);
    const call = guest.calls(V2);
    await expect(call(method('get'), ok(await call(OPEN, address)), 'k')).rejects.toBeInstanceOf(LimitTrap);
    expect(guest.memory.heldBytes).toBe(0);
  });

  it.each([['ends', (socket: Socket) => socket.end()], ['breaks', (socket: Socket) => socket.resetAndDestroy()], ['says what is no answer', (socket: Socket) => socket.write('HTTP/1.1 400\r\n')]])(
    'gives an error when the connection %s during a command, does not send it again, and makes a new one for the next',
    async (_how, answer) => {
      const commands: string[] = [];
      const address = await listen((socket, data) => {
        commands.push(data);
        if (commands.length === 1) answer(socket);
        else socket.write('+OK\r\n');
      });
      guest = granted(address);
      const call = guest.calls(V2);
      const connection = ok(await call(OPEN, address));
      expect(await call(method('set'), connection, 'one', bytes('1'))).toMatchObject(other(expect.any(String)));
      expect(await call(method('set'), connection, 'two', bytes('2'))).toBeUndefined();
      expect(commands).toEqual(['*3\r\n$3\r\nSET\r\n$3\r\none\r\n$1\r\n1\r\n', '*3\r\n$3\r\nSET\r\n$3\r\ntwo\r\n$1\r\n2\r\n']);
    },
  );

  it('settles when the invocation ends, and does not use the connection again', async () => {
    let connections = 0;
    const address = await listen((socket) => { strays.add(socket); });
    stray!.on('connection', () => { connections++; });
    guest = granted(address);
    const call = guest.calls(V2);
    const waiting = call(method('get'), ok(await call(OPEN, address)), 'k');
    guest.hangUp();
    await expect(waiting).rejects.toBeInstanceOf(Trap);
    guest.next();
    ok(await call(OPEN, address));
    expect(connections).toBe(2);
  });

  it('keeps a connection for the next invocation', async () => {
    const address = await listen((socket) => socket.write(':1\r\n'));
    let connections = 0;
    stray!.on('connection', () => { connections++; });
    guest = granted(address);
    for (let at = 0; at < 5; at++) {
      const call = guest.calls(V2);
      expect(await call(method('incr'), ok(await call(OPEN, address)), 'k')).toBe(1n);
      expect(await guest.calls(V1)('del', address, ['k'])).toBe(1n);
      guest.next();
    }
    expect(connections).toBe(2);
  });

  it('makes no connection for an invocation that ended while it was made', async () => {
    const address = await listen((socket, data) => { if (data.includes('AUTH')) setTimeout(() => socket.write('+OK\r\n'), 50); });
    const seen: string[] = [];
    stray!.on('connection', (socket: Socket) => socket.on('data', (data) => seen.push(data.toString())));
    guest = granted(address);
    const call = guest.calls(V1)('set', address.replace('//', '//:pw@'), 'k', bytes('v'));
    setTimeout(() => guest.next(), 10);
    await expect(call).rejects.toBeInstanceOf(Trap);
    await new Promise((resolve) => { setTimeout(resolve, 80); });
    expect(seen).toHaveLength(1);
    expect(seen[0]).toContain('AUTH');
  });
});

(hasRedis ? describe : describe.skip)(`outbound redis${hasRedis ? '' : ' (left out: redis-server is not installed)'}`, () => {
  let server: TestServer;
  let address: string;
  beforeAll(async () => {
    server = (await startRedis())!;
    address = `redis://127.0.0.1:${server.port}`;
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    guest = granted(address);
    await guest.calls(V1)('execute', address, 'FLUSHALL', []);
  });

  const opened = async (at = address) => ok<object>(await guest.calls(V2)(OPEN, at));
  const execute = (connection: object, command: string, ...args: (string | bigint)[]) =>
    guest.calls(V2)(method('execute'), connection, command, args.map((each) => (typeof each === 'bigint' ? { tag: 'int64', val: each } : binary(each))));

  it('answers every command of fermyon:spin/redis@2.0.0 to a component', async () => {
    const redis = await Forwarder.of(V2, guest);
    const call = async (name: string, ...args: unknown[]) => redis.call(method(name), ...args);
    const { val: it } = await redis.call(OPEN, address);
    expect(await call('get', it, 'none')).toEqual({ tag: 'ok', val: undefined });
    expect(await call('set', it, 'key', bytes('va\r\n\0ue'))).toEqual({ tag: 'ok', val: undefined });
    expect(await call('get', it, 'key')).toEqual({ tag: 'ok', val: new Uint8Array(bytes('va\r\n\0ue')) });
    await call('set', it, 'n', bytes('0'));
    expect(await call('incr', it, 'n')).toEqual({ tag: 'ok', val: 1n });
    expect(await call('incr', it, 'key')).toMatchObject({ tag: 'err', val: { tag: 'other', val: 'ERR value is not an integer or out of range' } });
    expect(await call('sadd', it, 'set', ['a', 'b', 'a'])).toEqual({ tag: 'ok', val: 2 });
    expect((await call('smembers', it, 'set')).val.sort()).toEqual(['a', 'b']);
    expect(await call('srem', it, 'set', ['a', 'c'])).toEqual({ tag: 'ok', val: 1 });
    expect(await call('del', it, ['n', 'set', 'none'])).toEqual({ tag: 'ok', val: 2 });
    expect(await call('publish', it, 'channel', bytes('x'))).toEqual({ tag: 'ok', val: undefined });
    expect(await call('execute', it, 'append', [binary('key'), binary('!')])).toEqual({ tag: 'ok', val: [{ tag: 'int64', val: 8n }] });
    expect(await call('execute', it, 'set', [binary('i'), { tag: 'int64', val: -5n }])).toEqual({ tag: 'ok', val: [{ tag: 'status', val: 'OK' }] });
    expect(await call('execute', it, 'mget', [binary('i'), binary('none')])).toEqual({ tag: 'ok', val: [binary('-5'), { tag: 'nil' }] });
  });

  it('answers every command of spin:redis/redis@3.0.0 to a component', async () => {
    const redis = await Forwarder.of(V3, guest);
    const call = async (name: string, ...args: unknown[]) => redis.call(method(name), ...args);
    const { val: it } = await redis.call(OPEN, address);
    expect(await call('set', it, 'key', bytes('1'))).toEqual({ tag: 'ok', val: undefined });
    expect(await call('get', it, 'key')).toEqual({ tag: 'ok', val: new Uint8Array(bytes('1')) });
    expect(await call('incr', it, 'key')).toEqual({ tag: 'ok', val: 2n });
    expect(await call('sadd', it, 'key', ['a'])).toEqual({ tag: 'err', val: { tag: 'type-error' } });
    expect(await call('sadd', it, 'set', ['a'])).toEqual({ tag: 'ok', val: 1 });
    expect(await call('smembers', it, 'set')).toEqual({ tag: 'ok', val: ['a'] });
    expect(await call('srem', it, 'set', ['a'])).toEqual({ tag: 'ok', val: 1 });
    expect(await call('del', it, ['key'])).toEqual({ tag: 'ok', val: 1 });
    expect(await call('publish', it, 'channel', bytes('x'))).toEqual({ tag: 'ok', val: undefined });
    expect(await call('execute', it, 'PING', [])).toEqual({ tag: 'ok', val: [{ tag: 'status', val: 'PONG' }] });
    expect(await redis.call(OPEN, 'redis://elsewhere')).toEqual({ tag: 'err', val: { tag: 'invalid-address' } });
  });

  it('answers every command of the first interface to a component', async () => {
    const redis = await Forwarder.of(V1, guest);
    expect(await redis.call('get', address, 'none')).toEqual({ tag: 'ok', val: new Uint8Array() });
    expect(await redis.call('set', address, 'key', bytes('1'))).toEqual({ tag: 'ok', val: undefined });
    expect(await redis.call('get', address, 'key')).toEqual({ tag: 'ok', val: new Uint8Array(bytes('1')) });
    expect(await redis.call('incr', address, 'key')).toEqual({ tag: 'ok', val: 2n });
    expect(await redis.call('sadd', address, 'set', ['a', 'b'])).toEqual({ tag: 'ok', val: 2n });
    expect((await redis.call('smembers', address, 'set')).val.sort()).toEqual(['a', 'b']);
    expect(await redis.call('srem', address, 'set', ['a'])).toEqual({ tag: 'ok', val: 1n });
    expect(await redis.call('del', address, ['key', 'none'])).toEqual({ tag: 'ok', val: 1n });
    expect(await redis.call('publish', address, 'channel', bytes('x'))).toEqual({ tag: 'ok', val: undefined });
    expect(await redis.call('execute', address, 'ECHO', [binary('x')])).toEqual({ tag: 'ok', val: [binary('x')] });
    expect(await redis.call('sadd', address, 'key', [])).toEqual({ tag: 'err', val: 'error' });
  });

  it('gives each kind of value that a server answers with, nested lists laid flat', async () => {
    const script = "return { 'text', 7, false, { redis.status_reply('FINE'), { 'deep' }, {} } }";
    expect(await execute(await opened(), 'EVAL', script, 0n)).toEqual([binary('text'), { tag: 'int64', val: 7n }, { tag: 'nil' }, { tag: 'status', val: 'FINE' }, binary('deep')]);
    expect(await execute(await opened(), 'INCRBY', 'big', 9_007_199_254_740_993n)).toEqual([{ tag: 'int64', val: 9_007_199_254_740_993n }]);
  });

  it('gives type-error where sets meet another type, and the words of the server elsewhere', async () => {
    const call = guest.calls(V2);
    const it = await opened();
    await call(method('set'), it, 'text', bytes('x'));
    for (const [name, ...args] of [['sadd', ['a']], ['smembers']] as const) expect(await call(method(name), it, 'text', ...args)).toMatchObject({ payload: { tag: 'type-error' } });
    expect(await call(method('srem'), it, 'text', ['a'])).toMatchObject(other(expect.stringContaining('WRONGTYPE')));
    expect(await execute(it, 'NOSUCH')).toMatchObject(other(expect.stringContaining('unknown command')));
    await execute(it, 'SADD', 'set', 'x');
    await call(method('sadd'), it, 'set', ['x']);
    await call(method('execute'), it, 'SADD', [binary('raw'), { tag: 'binary', val: Uint8Array.of(0xff) }]);
    expect(await call(method('smembers'), it, 'raw')).toMatchObject(other('a member of the set is no UTF-8 text'));
  });

  it('signs in and chooses the database of the address, and says no more than the server when that fails', async () => {
    await execute(await opened(), 'ACL', 'SETUSER', 'jo', 'on', '>s3cret/', '~*', '+@all');
    const secured = `redis://jo:s3cret%2F@127.0.0.1:${server.port}/3`;
    const call = guest.calls(V2);
    await call(method('set'), await opened(secured), 'here', bytes('x'));
    expect(await execute(await opened(secured), 'ACL', 'WHOAMI')).toEqual([binary('jo')]);
    expect(await call(method('get'), await opened(), 'here')).toBeUndefined();
    expect(await call(method('get'), await opened(`${address}/3`), 'here')).toEqual(new Uint8Array(bytes('x')));
    const wrong = await call(OPEN, `redis://jo:wr0ng@127.0.0.1:${server.port}`);
    expect(wrong).toMatchObject(other(expect.stringContaining('WRONGPASS')));
    expect(JSON.stringify([wrong, guest.notes])).not.toContain('wr0ng');
    expect(await call(OPEN, `${address}/99`)).toMatchObject(other(expect.stringContaining('out of range')));
  });

  it('gives each connection of an invocation to that one alone', async () => {
    const id = async (connection: object) => (await execute(connection, 'CLIENT', 'ID'))[0].val as bigint;
    const [one, two] = [await opened(), await opened()];
    expect(await id(one)).not.toBe(await id(two));
  });

  it.each([
    ['SELECT', ['5']], ['MULTI', []], ['WATCH', ['k']], ['SUBSCRIBE', ['news']], ['CLIENT', ['SETNAME', 'mine']], ['MONITOR', []], ['HELLO', ['3']], ['SCRIPT', ['DEBUG', 'YES']], ['BLPOP', ['none', '1']],
  ])('gives no later invocation a connection on which %s was said', async (command, args) => {
    const it = await opened();
    const first = (await execute(await opened(), 'CLIENT', 'ID'))[0].val as bigint;
    await execute(it, command, ...args);
    guest.next();
    const after = await opened();
    const [{ val }] = await execute(after, 'CLIENT', 'ID');
    expect(val > first).toBe(true);
    expect(Buffer.from((await execute(after, 'CLIENT', 'LIST', 'ID', String(val)))[0].val).toString()).toMatch(/name= .* db=0 sub=0 psub=0 .*multi=-1 .*resp=2/s);
  });

  it('keeps what a guest does to its connection while it has it: a database, a transaction', async () => {
    const it = await opened();
    await execute(it, 'SELECT', '7');
    await guest.calls(V2)(method('set'), it, 'seven', bytes('7'));
    expect(await execute(it, 'MULTI')).toEqual([{ tag: 'status', val: 'OK' }]);
    expect(await execute(it, 'GET', 'seven')).toEqual([{ tag: 'status', val: 'QUEUED' }]);
    expect(await execute(it, 'EXEC')).toEqual([binary('7')]);
    expect(await guest.calls(V2)(method('get'), await opened(), 'seven')).toBeUndefined();
  });

  it('shares no connection between orgs, apps, components or credentials', async () => {
    const it = await opened();
    await guest.calls(V2)(method('get'), it, 'k');
    const ids = new Set<bigint>();
    guest.next();
    for (const change of [{}, { org: 'second' }, { app: 'second' }, { component: 'second' }]) {
      const neighbour = granted(address, change);
      const call = neighbour.calls(V2);
      ids.add((await call(method('execute'), ok(await call(OPEN, address)), 'CLIENT', [binary('ID')]))[0].val);
      neighbour.dispose();
    }
    expect(ids.size).toBe(4);
  });

  it('has no more connections of an app than the operator allows: one that is idle gives way, else the next one waits', async () => {
    guest.dispose();
    guest = granted(address, { app: 'bounded', runtime: RuntimeGrant.parse({ outboundRedis: { maxConnections: 2 } }) });
    const call = guest.calls(V2);
    const [one] = [await opened(), await opened()];
    const third = call(OPEN, `${address}/1`);
    expect(await Promise.race([third, new Promise((resolve) => { setTimeout(() => resolve('waits'), 50); })])).toBe('waits');
    call('[resource-drop]connection', one);
    expect(await call(method('get'), ok(await third), 'k')).toBeUndefined();
    guest.next();
    expect(await guest.calls(V1)('get', `${address}/2`, 'k')).toEqual(new Uint8Array());
    guest.dispose();
    guest = granted(address, { app: 'closed', runtime: RuntimeGrant.parse({ outboundRedis: { maxConnections: 0 } }) });
    expect(await guest.calls(V2)(OPEN, address)).toMatchObject({ payload: { tag: 'too-many-connections' } });
  });

  it('lets a guest have 1024 connections at a time', async () => {
    guest.dispose();
    guest = granted(address, { limits: { outboundRequests: 1, outboundConcurrency: 1, outboundConnections: 2_000 } });
    const call = guest.calls(V2);
    const all = [];
    for (let at = 0; at < 1024; at++) all.push(await opened());
    expect(call(OPEN, address)).toMatchObject({ payload: { tag: 'too-many-connections' } });
    call('[resource-drop]connection', all[0]);
    ok(await call(OPEN, address));
  });

  it('sends what asynchronous calls ask for without waiting for one another', async () => {
    const call = guest.calls(V3);
    const it = ok<object>(await call(OPEN, address));
    const blocked = call(method('execute'), it, 'BLPOP', [binary('queue'), binary('0')]);
    const second = ok<object>(await call(OPEN, address));
    await call(method('execute'), second, 'RPUSH', [binary('queue'), binary('job')]);
    expect(await blocked).toEqual([binary('queue'), binary('job')]);
    expect(await Promise.all(['a', 'b', 'c'].map((key) => call(method('incr'), it, key)))).toEqual([1n, 1n, 1n]);
  });

  it('goes on with a connection that a guest kept from an earlier invocation', async () => {
    const it = await opened();
    await guest.calls(V2)(method('set'), it, 'k', bytes('v'));
    guest.next();
    expect(await guest.calls(V2)(method('get'), it, 'k')).toEqual(new Uint8Array(bytes('v')));
  });

  it('charges the invocation for what it sends until it is answered', async () => {
    const call = guest.calls(V3);
    const it = ok<object>(await call(OPEN, address));
    const before = guest.memory.heldBytes;
    const sent = call(method('set'), it, 'k', new Uint8Array(1_000_000));
    expect(guest.memory.heldBytes - before).toBeGreaterThan(1_000_000);
    await sent;
    expect(guest.memory.heldBytes).toBe(before);
    expect(() => Array.from({ length: 100 }, () => call(method('set'), it, 'k', new Uint8Array(1_000_000)).catch(() => undefined))).toThrow(LimitTrap);
  });

  it('refuses to connect again for a guest whose address is not allowed any more', async () => {
    const it = await opened();
    guest.next();
    (guest.grant as { allowedOutboundHosts: readonly string[] }).allowedOutboundHosts = [];
    expect(await guest.calls(V2)(method('get'), it, 'k')).toMatchObject({ payload: { tag: 'invalid-address' } });
  });

  it('tells the invocation before it changes anything, and not before it only looks', async () => {
    let effects = 0;
    guest.next({ effect: () => { effects++; } });
    const call = guest.calls(V2);
    const it = await opened();
    await call(method('get'), it, 'k');
    await call(method('smembers'), it, 'k');
    expect(effects).toBe(0);
    await call(method('set'), it, 'k', bytes('v'));
    await call(method('publish'), it, 'k', bytes('v'));
    expect(effects).toBe(2);
  });
});
