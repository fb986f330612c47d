import type { Socket } from 'node:net';
import type { IClientOptions, MqttClient } from 'mqtt';
import type { GuestGrant } from '../guest.js';
import { lease as takeLease, type Lease } from '../outbound/connection-budget.js';
import { dialLeased } from '../outbound/dial.js';
import type { MqttAddress } from './mqtt-address.js';
import { connectionFailed, MqttFault } from './mqtt-fault.js';

/** A broker that takes the connection and does not let the client in is given up then. */
const GREETING_TIMEOUT_MS = 30_000;
/** MQTT 3.1.1 lets a broker say no such limit; Mosquitto's own is 20, and it drops what is above. */
const MAX_UNACKNOWLEDGED = 20;

/** Everything that makes a connection what it is. */
export interface MqttLogin extends MqttAddress {
  username: string;
  password: string;
  keepAliveS: number;
}

/** The broker answers a message of QoS 1 by PUBACK and one of QoS 2 by PUBCOMP; one of QoS 0 only has to be written (MQTT 3.1.1, section 4.3). */
export type Qos = 0 | 1 | 2;

/** One connection to one broker. Once it is lost it stays so: nothing is ever sent twice. */
export class MqttLink {
  isOpen = true;
  onClose: (() => void) | null = null;
  /** What ends each message that is under way or waits. */
  private readonly unfinished = new Set<(error: Error | null) => void>();
  private readonly waiting: (() => void)[] = [];
  private reason = 'the broker closed the connection';

  private constructor(private readonly client: MqttClient, private readonly socket: Socket, private readonly lease: Lease) {
    client.on('error', (error) => {
      this.reason = error.message;
      this.close();
    });
    client.on('close', () => this.close());
  }

  /** Connects and signs in (CONNACK). Rejects as `lease` and `dial` do, or with a MqttFault `connection-failed`. */
  static async open(grant: GuestGrant, login: MqttLogin): Promise<MqttLink> {
    const { MqttClient: Client } = await import('mqtt');
    const lease = await takeLease(grant, 'mqtt');
    const socket = await dialLeased(grant, { host: login.host, port: login.port, ...(login.scheme === 'mqtts' && { tls: {} }) }, lease);
    const client = new Client(() => socket, toOptions(login));
    const link = new MqttLink(client, socket, lease);
    await new Promise<void>((resolve, reject) => {
      link.onClose = () => reject(connectionFailed(link.reason));
      client.once('connect', () => resolve());
    });
    link.onClose = null;
    return link;
  }

  /** Resolves when the broker has the message, as far as `qos` lets anybody know. Rejects with a MqttFault. */
  publish(topic: string, payload: Uint8Array, qos: Qos): Promise<void> {
    if (!this.isOpen) return Promise.reject(connectionFailed(this.reason));
    return new Promise((resolve, reject) => {
      const done = (error: Error | null) => {
        if (!this.unfinished.delete(done)) return;
        if (error) reject(error);
        else resolve();
        queueMicrotask(() => this.sendNext());
      };
      const send = () => this.client.publish(topic, Buffer.from(payload.buffer, payload.byteOffset, payload.length), { qos }, (error) => {
        done(error ? new MqttFault({ tag: 'other', val: error.message }) : null);
      });
      this.unfinished.add(done);
      this.waiting.push(send);
      this.sendNext();
    });
  }

  /** Sends what waits, as long as the broker has no more than it may have to remember. */
  private sendNext(): void {
    while (this.isOpen && this.waiting.length > 0 && this.unfinished.size - this.waiting.length < MAX_UNACKNOWLEDGED) this.waiting.shift()!();
  }

  /** While nobody uses it, it makes room for another connection of the app's. */
  setIdle(isIdle: boolean): void {
    this.lease.idle = isIdle ? { isIdle: () => true, close: () => this.close() } : null;
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    for (const done of this.unfinished) done(connectionFailed(this.reason));
    this.client.end(true);
    this.socket.destroy();
    this.onClose?.();
  }
}

/** As the client of Spin's host signs in: MQTT 3.1.1, and no name or password when they are empty. */
function toOptions({ clientId, cleanSession, username, password, keepAliveS }: MqttLogin): IClientOptions {
  return {
    protocolVersion: 4,
    clientId,
    clean: cleanSession,
    keepalive: keepAliveS,
    reconnectPeriod: 0,
    connectTimeout: GREETING_TIMEOUT_MS,
    queueQoSZero: false,
    resubscribe: false,
    ...(username !== '' && { username }),
    ...(password !== '' && { password }),
  };
}
