import { canonicalHost, type Destination } from '../outbound/outbound-policy.js';

export interface MqttAddress {
  scheme: 'mqtt' | 'mqtts';
  host: string;
  port: number;
  clientId: string;
  cleanSession: boolean;
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { mqtt: 1883, mqtts: 8883 };

/** Settings that the client of Spin's host reads besides (rumqttc, `MqttOptions::parse_url`); they are about its own buffers. */
const IGNORED: ReadonlySet<string> = new Set([
  'keep_alive_secs', 'max_incoming_packet_size_bytes', 'max_outgoing_packet_size_bytes', 'request_channel_capacity_num', 'max_request_batch_num',
  'pending_throttle_usecs', 'inflight_num', 'conn_timeout_secs',
]);

/** Where an address leads, for the component's policy; null: it is no URL. */
export function destinationOf(text: string): Destination | null {
  if (!URL.canParse(text)) return null;
  const { protocol, hostname, port } = new URL(text);
  const scheme = protocol.slice(0, -1);
  return hostname === '' ? null : { scheme, host: canonicalHost(hostname), port: port === '' ? (DEFAULT_PORTS[scheme] ?? null) : Number(port) };
}

/** Reads `mqtt[s]://host[:port]?client_id=…[&clean_session=…]`. null: it is no such address; the client's id must be there, as with Spin. */
export function parseMqttAddress(text: string): MqttAddress | null {
  const destination = destinationOf(text);
  if (!destination || destination.port === null || destination.port === 0) return null;
  const { scheme, host, port } = destination;
  if (scheme !== 'mqtt' && scheme !== 'mqtts') return null;
  const settings = new Map(new URL(text).searchParams);
  const clientId = settings.get('client_id');
  const cleanSession = settings.get('clean_session') ?? 'true';
  settings.delete('client_id');
  settings.delete('clean_session');
  const isKnown = [...settings.keys()].every((name) => IGNORED.has(name));
  if (clientId === undefined || clientId === '' || clientId.startsWith(' ') || !isKnown || !['true', 'false'].includes(cleanSession)) return null;
  return { scheme, host, port, clientId, cleanSession: cleanSession === 'true' };
}
