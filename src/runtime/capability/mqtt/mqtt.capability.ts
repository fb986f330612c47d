import { Err, type HostBinding } from '#engine/run/host.js';
import { perSlot, plain, waiting, type Capability } from '../capability.js';
import type { GuestState } from '../guest.js';
import { PIECE_BYTES } from '../host-memory.js';
import { settle } from '../wait.js';
import { MqttFault } from './mqtt-fault.js';
import type { Qos } from './mqtt-link.js';
import { MqttSession } from './mqtt-session.js';

const QOS = { 'at-most-once': 0, 'at-least-once': 1, 'exactly-once': 2 } as const satisfies Record<string, Qos>;

function toErr(error: unknown): Err {
  if (error instanceof MqttFault) return new Err(error.error);
  throw error;
}

function publish(state: GuestState, session: MqttSession, message: { topic: string; payload: Uint8Array; qos: keyof typeof QOS }): Promise<unknown> {
  const { memory } = state;
  const heldBytes = message.topic.length + message.payload.length + PIECE_BYTES;
  memory.take(heldBytes);
  state.invocation.effect?.();
  const sent = session.publish(message.topic, message.payload, QOS[message.qos]).finally(() => memory.give(heldBytes));
  return settle(state, sent.catch(toErr));
}

type Bind = (bind: (state: GuestState) => (...args: never[]) => unknown) => HostBinding<GuestState>;

/** `resource connection`; the versions differ in that publishing blocks or is asynchronous. */
const connection = (bind: Bind): Capability['functions'] => ({
  '[static]connection.open': perSlot((state) => (address: string, username: string, password: string, keepAliveS: bigint) => {
    try {
      return MqttSession.open(state, { address, username, password, keepAliveS });
    } catch (error) {
      return toErr(error);
    }
  }),
  '[method]connection.publish': bind((state) => (session: MqttSession, topic: string, payload: Uint8Array, qos: keyof typeof QOS) =>
    publish(state, session, { topic, payload, qos })),
  '[resource-drop]connection': plain((session: MqttSession) => session.close()),
});

/** Outbound MQTT, in both forms that Spin has. */
export const MQTT: readonly Capability[] = [
  { name: 'fermyon:spin/mqtt', version: '2.0.0', functions: connection(waiting) },
  { name: 'spin:mqtt/mqtt', version: '3.0.0', functions: connection(perSlot) },
];
