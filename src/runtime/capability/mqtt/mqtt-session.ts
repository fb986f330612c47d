import { Trap } from '#engine/run/host.js';
import { EFFECT_REFUSED, refusesEffect } from '../effect.js';
import type { GuestState } from '../guest.js';
import { toDialFailure } from '../outbound/dial-failure.js';
import { noteDenied, policyOf } from '../outbound/outbound.js';
import { destinationOf, parseMqttAddress } from './mqtt-address.js';
import { connectionFailed, MqttFault } from './mqtt-fault.js';
import type { MqttLogin, Qos } from './mqtt-link.js';
import { withLink } from './mqtt-links.js';

/** Sessions that a guest may have at a time, as with Spin. */
const MAX_SESSIONS = 1024;
/** The protocol has two bytes for it (MQTT 3.1.1, section 3.1.2.10). */
const MAX_KEEP_ALIVE_S = 0xffffn;
const MAX_TOPIC_BYTES = 0xffff;

const openSessions = new WeakMap<GuestState, Set<MqttSession>>();

function sessionsOf(state: GuestState): Set<MqttSession> {
  let sessions = openSessions.get(state);
  if (!sessions) openSessions.set(state, (sessions = new Set()));
  return sessions;
}

/** What a guest gives to open a connection. */
export interface MqttOpening {
  address: string;
  username: string;
  password: string;
  keepAliveS: bigint;
}

/** A guest's connection. It is made when something is published first, as with Spin. */
export class MqttSession {
  private constructor(private readonly state: GuestState, private readonly login: MqttLogin) {}

  /** Throws a MqttFault: `connection-failed` for an address that the manifest does not allow, `invalid-address`, `too-many-connections`. */
  static open(state: GuestState, { address: text, username, password, keepAliveS }: MqttOpening): MqttSession {
    if (refusesEffect(state)) throw connectionFailed(EFFECT_REFUSED);
    const destination = destinationOf(text);
    if (!destination || !policyOf(state.grant.allowedOutboundHosts).allows(destination)) {
      if (destination) noteDenied(state, toOrigin(destination));
      throw connectionFailed(`address ${text} is not permitted`);
    }
    const address = parseMqttAddress(text);
    if (!address) throw new MqttFault({ tag: 'invalid-address' });
    const sessions = sessionsOf(state);
    if (sessions.size >= MAX_SESSIONS) throw new MqttFault({ tag: 'too-many-connections' });
    const keepAlive = Number(keepAliveS < MAX_KEEP_ALIVE_S ? keepAliveS : MAX_KEEP_ALIVE_S);
    const session = new MqttSession(state, { ...address, username, password, keepAliveS: keepAlive });
    sessions.add(session);
    state.defer(() => session.close());
    return session;
  }

  /** Resolves when the broker has the message, as far as `qos` lets anybody know. Rejects with a MqttFault. */
  async publish(topic: string, payload: Uint8Array, qos: Qos): Promise<void> {
    const { grant, invocation } = this.state;
    const { maxPayloadSizeBytes = Infinity } = grant.runtime.outboundMqtt;
    if (payload.length > maxPayloadSizeBytes) {
      throw new MqttFault({ tag: 'other', val: `payload size ${payload.length} exceeds the maximum allowed size of ${maxPayloadSizeBytes} bytes` });
    }
    if (!isTopic(topic)) throw new MqttFault({ tag: 'other', val: 'the topic is empty, too long or has a character that topics of messages do not have' });
    try {
      await withLink(grant, this.login, async (link) => {
        if (!invocation.ending.isOver) await link.publish(topic, payload, qos);
      });
    } catch (error) {
      if (error instanceof MqttFault || error instanceof Trap) throw error;
      const { isLimit, message } = toDialFailure(invocation, error);
      throw isLimit ? new MqttFault({ tag: 'too-many-connections' }) : connectionFailed(message);
    }
  }

  close(): void {
    sessionsOf(this.state).delete(this);
  }
}

/** A name of a topic, not a filter (MQTT 3.1.1, section 4.7). */
function isTopic(topic: string): boolean {
  return topic !== '' && !/[+#\0]/.test(topic) && Buffer.byteLength(topic) <= MAX_TOPIC_BYTES;
}

/** Without user and password: it is for the log. */
function toOrigin({ scheme, host, port }: { scheme: string; host: string; port: number | null }): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}${port === null ? '' : `:${port}`}`;
}
