import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { connectAsync, type MqttClient } from 'mqtt';
import { RuntimeGrant } from '#contract/runtime-grant.js';
import { Trap } from '#engine/run/host.js';
import { Forwarder } from '../fixtures/forwarder.js';
import { hasMosquitto, startMosquitto } from '../fixtures/servers/mosquitto.js';
import type { TestServer } from '../fixtures/servers/server-process.js';
import { bytes, ok, TestGuest } from './guest-state.js';

const V2 = 'fermyon:spin/mqtt@2.0.0';
const V3 = 'spin:mqtt/mqtt@3.0.0';
const OPEN = '[static]connection.open';
const PUBLISH = '[method]connection.publish';
const KEEP_ALIVE_S = 30n;

let guest: TestGuest;
let stray: Server | null = null;
const strays = new Set<Socket>();
const granted = (more: ConstructorParameters<typeof TestGuest>[0] = {}) => new TestGuest({ allowedOutboundHosts: ['mqtt://*:*'], ...more });
afterEach(() => {
  guest.dispose();
  for (const socket of strays) socket.destroy();
  stray?.close();
  stray = null;
});

const CONNACK = Buffer.of(0x20, 2, 0, 0);
const isConnect = (packet: Buffer) => packet[0] === 0x10;
/** PUBACK for a message on a topic of one letter. */
const acknowledge = (packet: Buffer) => Buffer.of(0x40, 2, packet[5]!, packet[6]!);
/** A broker that lets everybody in, and then says what a test wants. */
async function listen(onPacket: (socket: Socket, packet: Buffer) => void): Promise<string> {
  stray = createServer((socket) => {
    strays.add(socket);
    socket.on('error', () => undefined).on('data', (chunk: Buffer) => {
      if (isConnect(chunk)) socket.write(CONNACK);
      else onPacket(socket, chunk);
    });
  });
  await new Promise<void>((resolve) => { stray!.listen(0, '127.0.0.1', resolve); });
  return `mqtt://127.0.0.1:${(stray.address() as AddressInfo).port}?client_id=guest`;
}

describe('outbound mqtt, what needs no broker', () => {
  it('refuses an address that the manifest does not allow in the words of Spin, and says in the log which, without the password', () => {
    guest = granted({ allowedOutboundHosts: [] });
    const address = 'mqtt://me:hush@localhost:1883?client_id=spintest';
    expect(guest.calls(V2)(OPEN, address, 'user', 'password', KEEP_ALIVE_S)).toMatchObject({ payload: { tag: 'connection-failed', val: `address ${address} is not permitted` } });
    expect(guest.notes[0]).toBe("A component tried to make an outbound network connection to disallowed destination 'mqtt://localhost:1883'.");
  });

  it('refuses what is no address of a broker', () => {
    guest = granted({ allowedOutboundHosts: ['*://*:*'] });
    for (const address of ['mqtt://localhost', 'http://localhost:1883?client_id=a', 'mqtt://localhost?client_id=a&x=y']) {
      expect(guest.calls(V3)(OPEN, address, '', '', KEEP_ALIVE_S)).toMatchObject({ payload: { tag: 'invalid-address' } });
    }
  });

  it('says why there is no connection when something is published', async () => {
    const address = await listen(() => undefined);
    await new Promise((resolve) => { stray!.close(resolve); });
    guest = granted();
    const call = guest.calls(V2);
    expect(await call(PUBLISH, ok(call(OPEN, address, '', '', KEEP_ALIVE_S)), 't', bytes('x'), 'at-least-once')).toMatchObject({ payload: { tag: 'connection-failed', val: 'the connection was refused' } });
    guest.dispose();
    guest = granted({ allowPrivateHosts: false });
    const refused = guest.calls(V2);
    expect(await refused(PUBLISH, ok(refused(OPEN, address, '', '', KEEP_ALIVE_S)), 't', bytes('x'), 'at-least-once')).toMatchObject({ payload: { tag: 'connection-failed', val: 'the platform does not allow connections to the address' } });
    expect(guest.notes).toHaveLength(1);
  });

  it('refuses what no message may be: a topic with wildcards, a payload over the operator\'s limit', async () => {
    guest = granted({ runtime: RuntimeGrant.parse({ outboundMqtt: { maxPayloadSizeBytes: 4 } }) });
    const call = guest.calls(V2);
    const it = ok(call(OPEN, 'mqtt://localhost:1?client_id=a', '', '', KEEP_ALIVE_S));
    for (const topic of ['', 'a/+', 'a/#', 'x'.repeat(70_000)]) expect(await call(PUBLISH, it, topic, bytes('x'), 'at-most-once')).toMatchObject({ payload: { tag: 'other' } });
    expect(await call(PUBLISH, it, 't', bytes('12345'), 'at-most-once')).toMatchObject({ payload: { tag: 'other', val: 'payload size 5 exceeds the maximum allowed size of 4 bytes' } });
  });

  it('gives an error when the broker goes away before it has the message, and connects again for the next', async () => {
    const packets: Buffer[] = [];
    const address = await listen((socket, packet) => {
      packets.push(packet);
      if (packets.length === 1) socket.destroy();
      else socket.write(acknowledge(packet));
    });
    guest = granted();
    const call = guest.calls(V2);
    const it = ok(call(OPEN, address, '', '', 0n));
    expect(await call(PUBLISH, it, 't', bytes('one'), 'at-least-once')).toMatchObject({ payload: { tag: 'connection-failed', val: 'the broker closed the connection' } });
    expect(await call(PUBLISH, it, 't', bytes('two'), 'at-least-once')).toBeUndefined();
    expect(packets.map((packet) => packet.toString('latin1').slice(7))).toEqual(['one', 'two']);
  });

  it('publishes over one connection for all invocations of a component', async () => {
    const address = await listen((socket, packet) => socket.write(acknowledge(packet)));
    let connections = 0;
    stray!.on('connection', () => { connections++; });
    guest = granted();
    for (let at = 0; at < 5; at++) {
      const call = guest.calls(V3);
      expect(await call(PUBLISH, ok(call(OPEN, address, 'user', 'password', KEEP_ALIVE_S)), 't', bytes('x'), 'at-least-once')).toBeUndefined();
      guest.next();
    }
    expect(connections).toBe(1);
  });

  it('settles when the invocation ends before the broker answers', async () => {
    guest = granted();
    const call = guest.calls(V2);
    const waiting = call(PUBLISH, ok(call(OPEN, await listen(() => undefined), '', '', 0n)), 't', bytes('x'), 'exactly-once');
    setTimeout(() => guest.hangUp(), 30);
    await expect(waiting).rejects.toBeInstanceOf(Trap);
  });

  it('lets a guest have 1024 connections at a time', () => {
    guest = granted();
    const call = guest.calls(V2);
    const all = Array.from({ length: 1024 }, () => ok(call(OPEN, 'mqtt://localhost?client_id=a', '', '', 0n)));
    expect(call(OPEN, 'mqtt://localhost?client_id=a', '', '', 0n)).toMatchObject({ payload: { tag: 'too-many-connections' } });
    call('[resource-drop]connection', all[0]);
    ok(call(OPEN, 'mqtt://localhost?client_id=a', '', '', 0n));
  });
});

(hasMosquitto ? describe : describe.skip)(`outbound mqtt${hasMosquitto ? '' : ' (left out: mosquitto is not installed)'}`, () => {
  let broker: TestServer;
  let subscriber: MqttClient;
  let address: string;
  let heard: { topic: string; payload: string; qos: number; retain: boolean }[] = [];
  beforeAll(async () => {
    broker = (await startMosquitto())!;
    address = `mqtt://127.0.0.1:${broker.port}?client_id=spintest`;
    subscriber = await connectAsync(`mqtt://127.0.0.1:${broker.port}`);
    subscriber.on('message', (topic, payload, { qos, retain }) => heard.push({ topic, payload: payload.toString('latin1'), qos, retain }));
    await subscriber.subscribeAsync('#', { qos: 2 });
  });
  afterAll(async () => {
    await subscriber.endAsync(true);
    await broker.stop();
  });
  beforeEach(() => {
    heard = [];
    guest = granted();
  });
  const hears = async (count: number) => {
    while (heard.length < count) await new Promise((resolve) => { setTimeout(resolve, 5); });
    return heard;
  };

  for (const version of [V2, V3]) {
    it(`publishes with each quality of service for a component of ${version}`, async () => {
      const mqtt = await Forwarder.of(version, guest);
      const { val: it } = await mqtt.call(OPEN, address, 'user', 'password', KEEP_ALIVE_S);
      for (const qos of ['at-most-once', 'at-least-once', 'exactly-once']) {
        expect(await mqtt.call(PUBLISH, it, 'telemetry-topic', bytes(`Eureka!\0${qos}`), qos)).toEqual({ tag: 'ok', val: undefined });
      }
      expect(await hears(3)).toEqual(['at-most-once', 'at-least-once', 'exactly-once'].map((qos, at) => ({ topic: 'telemetry-topic', payload: `Eureka!\0${qos}`, qos: at, retain: false })));
      expect(await mqtt.call(OPEN, 'mqtt://localhost', 'user', 'password', KEEP_ALIVE_S)).toEqual({ tag: 'err', val: { tag: 'invalid-address' } });
    });
  }

  it('takes an empty and a large message', async () => {
    const call = guest.calls(V2);
    const it = ok(call(OPEN, address, '', '', KEEP_ALIVE_S));
    await call(PUBLISH, it, 'size', new Uint8Array(), 'at-least-once');
    await call(PUBLISH, it, 'size', new Uint8Array(3_000_000).fill(65), 'exactly-once');
    expect((await hears(2)).map(({ payload }) => payload.length)).toEqual([0, 3_000_000]);
  });

  it('takes many messages at a time', async () => {
    const call = guest.calls(V3);
    const it = ok(call(OPEN, address, '', '', KEEP_ALIVE_S));
    const all = Array.from({ length: 500 }, (_, at) => call(PUBLISH, it, 'many', bytes(String(at)), 'exactly-once'));
    expect(new Set(await Promise.all(all))).toEqual(new Set([undefined]));
    expect(new Set((await hears(500)).map(({ payload }) => payload)).size).toBe(500);
  });

  it('shares no connection between orgs, apps, components and credentials', async () => {
    const sharing = `mqtt://127.0.0.1:${broker.port}?client_id=one-of-two`;
    const publish = (by: TestGuest, user = '') => by.calls(V2)(PUBLISH, ok(by.calls(V2)(OPEN, sharing, user, '', KEEP_ALIVE_S)), 't', bytes('x'), 'at-least-once');
    const others = [{ org: 'second' }, { app: 'second' }, { component: 'second' }].map((change) => granted(change));
    await publish(guest);
    for (const each of others) expect(await publish(each)).toBeUndefined();
    expect(await publish(guest, 'other')).toBeUndefined();
    expect(await hears(5)).toHaveLength(5);
    for (const each of others) each.dispose();
  });

  it('has no more connections of an app than the operator allows: one that is idle gives way', async () => {
    guest.dispose();
    guest = granted({ app: 'bounded', runtime: RuntimeGrant.parse({ outboundMqtt: { maxConnections: 1 } }) });
    const call = guest.calls(V3);
    const at = (id: string) => ok(call(OPEN, `mqtt://127.0.0.1:${broker.port}?client_id=${id}`, '', '', KEEP_ALIVE_S));
    expect(await Promise.all(['a', 'b', 'a'].map((id) => call(PUBLISH, at(id), 't', bytes('x'), 'at-least-once')))).toEqual([undefined, undefined, undefined]);
    guest.dispose();
    guest = granted({ app: 'closed', runtime: RuntimeGrant.parse({ outboundMqtt: { maxConnections: 0 } }) });
    const closed = guest.calls(V3);
    expect(await closed(PUBLISH, ok(closed(OPEN, address, '', '', KEEP_ALIVE_S)), 't', bytes('x'), 'at-least-once')).toMatchObject({ payload: { tag: 'too-many-connections' } });
  });

  it('charges the invocation for messages until the broker has them', async () => {
    const call = guest.calls(V3);
    const it = ok(call(OPEN, address, '', '', KEEP_ALIVE_S));
    const sent = call(PUBLISH, it, 't', new Uint8Array(1_000_000), 'at-least-once');
    expect(guest.memory.heldBytes).toBeGreaterThan(1_000_000);
    await sent;
    expect(guest.memory.heldBytes).toBe(0);
  });

  it('tells the invocation before it publishes', async () => {
    let effects = 0;
    guest.next({ effect: () => { effects++; } });
    const call = guest.calls(V2);
    const it = ok(call(OPEN, address, '', '', KEEP_ALIVE_S));
    expect(effects).toBe(0);
    await call(PUBLISH, it, 't', bytes('x'), 'at-most-once');
    expect(effects).toBe(1);
  });

  it('says that the broker does not let it in, without the password', async () => {
    const closed = (await startMosquitto(['allow_anonymous false']))!;
    try {
      const call = guest.calls(V2);
      const it = ok(call(OPEN, `mqtt://127.0.0.1:${closed.port}?client_id=a`, 'user', 'hush-hush', KEEP_ALIVE_S));
      const refused = await call(PUBLISH, it, 't', bytes('x'), 'at-least-once');
      expect(refused).toMatchObject({ payload: { tag: 'connection-failed', val: expect.stringMatching(/refused|authori[sz]ed/i) } });
      expect(JSON.stringify([refused, guest.notes])).not.toContain('hush');
    } finally {
      await closed.stop();
    }
  });
});
