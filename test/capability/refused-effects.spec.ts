import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RuntimeGrant } from '#contract/runtime-grant.js';
import { NO_GUEST_SETTINGS } from '#runtime/capability/guest-settings.js';
import { closeBlobStores } from '#runtime/capability/blobstore/blob-store.js';
import { Err } from '#engine/run/host.js';
import { bytes, ok, TestGuest, text } from './guest-state.js';

/**
 * A guest that answers a copy of a request, and is granted everything: whatever would change or send something is refused in the interface's own
 * words, nobody hears of it, and what only reads goes on.
 */

let counterpart: Server;
let port = 0;
let connections = 0;
const guests: TestGuest[] = [];

beforeEach(async () => {
  connections = 0;
  counterpart = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => counterpart.listen(0, '127.0.0.1', resolve));
  ({ port } = counterpart.address() as AddressInfo);
});
afterEach(async () => {
  closeBlobStores();
  for (const guest of guests.splice(0)) guest.dispose();
  await new Promise((resolve) => counterpart.close(resolve));
});

function granted(refusesEffects: boolean, more: ConstructorParameters<typeof TestGuest>[0] = {}) {
  let refused = 0;
  const everything = {
    allowedOutboundHosts: ['*://*:*'], keyValueStores: ['default'], sqliteDatabases: ['default'], aiModels: ['a-model'],
    settings: { ...NO_GUEST_SETTINGS, blobstoreBytes: 1_000_000, otelEndpoint: `http://127.0.0.1:${port}` },
    runtime: RuntimeGrant.parse({ llmCompute: { type: 'remote_http', url: `http://127.0.0.1:${port}`, authToken: 't', apiType: 'default' } }),
  };
  const guest = new TestGuest({ ...everything, refusesEffects, ...more }, { refused: () => { refused++; } });
  guests.push(guest);
  return { guest, refused: () => refused };
}
const payload = async (result: unknown): Promise<unknown> => ((await result) as Err).payload;
const ACCESS_DENIED = { tag: 'access-denied' };
const IN_WORDS = expect.stringMatching(/^access denied: this is a copy of a request/);

describe('an invocation whose effects are refused', () => {
  it('sends no request', async () => {
    const { guest, refused } = granted(true);
    const http = guest.calls('wasi:http/types@0.2.3');
    const request = http('[constructor]outgoing-request', http('[constructor]fields'));
    http('[method]outgoing-request.set-scheme', request, { tag: 'HTTP' });
    http('[method]outgoing-request.set-authority', request, `127.0.0.1:${port}`);
    const future = ok(guest.calls('wasi:http/outgoing-handler@0.2.3')('handle', request, undefined));
    expect(http('[method]future-incoming-response.get', future)).toEqual({ tag: 'ok', val: { tag: 'err', val: { tag: 'HTTP-request-denied' } } });
    const spin = { method: 'get', uri: `http://127.0.0.1:${port}/`, headers: [], params: [], body: undefined };
    expect(await payload(guest.calls('fermyon:spin/http')('send-request', spin))).toBe('destination-not-allowed');
    expect([refused(), connections]).toEqual([2, 0]);
    // It would be a wrong hint: the manifest allows it.
    expect(guest.notes).toEqual([]);
  });

  it.each([
    ['redis', 'fermyon:spin/redis@2.0.0', (at: string) => [`redis://${at}`]],
    ['mqtt', 'fermyon:spin/mqtt@2.0.0', (at: string) => [`mqtt://${at}?client_id=a`, 'u', 'p', 30n]],
    ['mysql', 'fermyon:spin/mysql@2.0.0', (at: string) => [`mysql://u:p@${at}/d`]],
    ['postgres', 'spin:postgres/postgres@4.0.0', (at: string) => [`postgres://u:p@${at}/d`]],
  ])('opens no connection by %s', async (_what, iface, args) => {
    const { guest, refused } = granted(true);
    expect(await guest.calls(iface)('[static]connection.open', ...args(`127.0.0.1:${port}`))).toBeInstanceOf(Err);
    expect([refused(), connections]).toEqual([1, 0]);
  });

  it('reads keys and changes none, in each version of the interface', async () => {
    const writer = granted(false);
    const { guest, refused } = granted(true, { stateDir: writer.guest.grant.stateDir, orgDir: writer.guest.grant.orgDir });
    const own = writer.guest.calls('fermyon:spin/key-value@2.0.0');
    await own('[method]store.set', await own('[static]store.open', 'default'), 'a', bytes('1'));

    const spin = guest.calls('fermyon:spin/key-value@2.0.0');
    const store = ok(await spin('[static]store.open', 'default'));
    expect(text(ok(await spin('[method]store.get', store, 'a')) as Uint8Array)).toBe('1');
    expect(refused()).toBe(0);
    expect(await payload(spin('[method]store.set', store, 'a', bytes('2')))).toEqual(ACCESS_DENIED);
    expect(await payload(spin('[method]store.delete', store, 'a'))).toEqual(ACCESS_DENIED);
    const first = guest.calls('fermyon:spin/key-value');
    expect(await payload(first('set', ok(await first('open', 'default')), 'a', bytes('2')))).toEqual(ACCESS_DENIED);
    expect(await payload(guest.calls('spin:key-value/key-value@3.0.0')('[method]store.set', store, 'a', bytes('2')))).toEqual(ACCESS_DENIED);
    const wasi = (iface: string) => guest.calls(`wasi:keyvalue/${iface}@0.2.0-draft2`);
    expect(await payload(wasi('store')('[method]bucket.delete', store, 'a'))).toEqual(ACCESS_DENIED);
    expect(await payload(wasi('batch')('set-many', store, [['a', bytes('2')]]))).toEqual(ACCESS_DENIED);
    expect(await payload(wasi('batch')('delete-many', store, ['a']))).toEqual(ACCESS_DENIED);
    expect(await payload(wasi('atomics')('increment', store, 'n', 1n))).toEqual(ACCESS_DENIED);
    const cas = ok(await wasi('atomics')('[static]cas.new', store, 'a'));
    expect(await payload(wasi('atomics')('swap', cas, bytes('2')))).toEqual({ tag: 'store-error', val: ACCESS_DENIED });
    const extended = guest.calls('whorl:key-value/extended@0.1.0');
    expect(await payload(extended('[method]store.compare-and-swap', store, 'a', bytes('1'), bytes('2'), undefined))).toEqual(ACCESS_DENIED);
    expect(await payload(extended('[method]store.increment', store, 'n', 1n, undefined))).toEqual(ACCESS_DENIED);
    expect(text(ok(await spin('[method]store.get', store, 'a')) as Uint8Array)).toBe('1');
    expect(ok(await spin('[method]store.get-keys', store))).toEqual(['a']);
    expect(refused()).toBe(11);
  });

  it('reads databases and changes none', async () => {
    const writer = granted(false);
    const { guest, refused } = granted(true, { stateDir: writer.guest.grant.stateDir, orgDir: writer.guest.grant.orgDir });
    const SQLITE = 'fermyon:spin/sqlite@2.0.0';
    const own = writer.guest.calls(SQLITE);
    const writing = ok(await own('[static]connection.open', 'default'));
    for (const sql of ['CREATE TABLE t (a INTEGER)', 'INSERT INTO t VALUES (1)']) ok(await own('[method]connection.execute', writing, sql, []));
    const call = guest.calls(SQLITE);
    const reading = ok(await call('[static]connection.open', 'default'));
    const execute = (sql: string) => call('[method]connection.execute', reading, sql, []);
    for (const sql of ['INSERT INTO t VALUES (2)', 'DELETE FROM t', 'WITH x AS (SELECT 3) INSERT INTO t SELECT * FROM x', 'BEGIN', 'PRAGMA user_version = 3', 'SELECT 1; DELETE FROM t']) {
      expect(await payload(execute(sql))).toEqual(ACCESS_DENIED);
    }
    expect(refused()).toBe(6);
    expect(ok(await execute('SELECT a FROM t;'))).toMatchObject({ rows: [{ values: [{ tag: 'integer', val: 1n }] }] });
  });

  it('makes no objects, asks no model, opens no sockets, looks no name up, and exports no spans', async () => {
    const { guest, refused } = granted(true);
    expect(await payload(guest.calls('wasi:blobstore/blobstore@0.2.0-draft')('create-container', 'a'))).toEqual(IN_WORDS);
    expect(await payload(guest.calls('fermyon:spin/llm@2.0.0')('infer', 'a-model', 'hello', undefined))).toEqual({ tag: 'runtime-error', val: IN_WORDS });
    expect(await payload(guest.calls('wasi:sockets/ip-name-lookup@0.2.3')('resolve-addresses', {}, 'localhost'))).toBe('access-denied');
    const socket = ok(guest.calls('wasi:sockets/tcp-create-socket@0.2.3')('create-tcp-socket', 'ipv4'));
    const to = { tag: 'ipv4', val: { port, address: [127, 0, 0, 1] } };
    expect(await payload(guest.calls('wasi:sockets/tcp@0.2.3')('[method]tcp-socket.start-connect', socket, {}, to))).toBe('access-denied');
    const span = {
      spanContext: { traceId: '0'.repeat(31) + '1', spanId: '0'.repeat(15) + '1', traceFlags: 0, isRemote: false, traceState: [] }, parentSpanId: '', spanKind: 'client', name: 's',
      startTime: { seconds: 1n, nanoseconds: 0 }, endTime: { seconds: 2n, nanoseconds: 0 }, attributes: [], events: [], links: [], status: { tag: 'unset' },
      instrumentationScope: { name: 'n', version: undefined, schemaUrl: undefined, attributes: [] }, droppedAttributes: 0, droppedEvents: 0, droppedLinks: 0,
    };
    expect(guest.calls('wasi:otel/tracing@0.2.0-rc.2')('on-end', span)).toBeUndefined();
    expect([refused(), connections]).toEqual([4, 0]);
  });
});
