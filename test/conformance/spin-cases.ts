/** Cases of Spin's conformance suite, as far as they are facts: what each manifest grants, what is sent, what must come back. */

/** Ports of the servers that the cases talk to. */
export interface CasePorts {
  http: number;
  tcp: number;
  redis: number;
  mqtt: number;
  postgres: number;
}

export type Service = keyof CasePorts;

export interface SpinCase {
  name: string;
  /** Where it is not the guest of all others. */
  guest?: 'tcp-sockets';
  needs: Service[];
  /** Lines of the component's table; what tables it needs besides comes after. */
  component?: (ports: CasePorts) => string;
  /** `[variables]` of the app. */
  variables?: string;
  route?: string;
  path?: string;
  headers?: (ports: CasePorts) => Record<string, string>;
  status?: number;
  body?: string;
  /** Fields that must have this value when they are there; with `required` they must be there. */
  fields?: Record<string, string>;
  required?: string[];
}

/** An answer without a body says so. */
const EMPTY = { fields: { 'content-length': '0' }, required: ['content-length'] };
const tcp = ({ tcp: port }: CasePorts) => ({ address: `127.0.0.1:${port}` });
const TCP_DENIED = { status: 500, body: 'access-denied (error 1)' } as const;
const allowed = (...hosts: string[]): string => `allowed_outbound_hosts = ${JSON.stringify(hosts)}`;

export const SPIN_CASES: readonly SpinCase[] = [
  { name: 'key-value', needs: [], component: () => 'key_value_stores = ["default"]', ...EMPTY },
  { name: 'key-value-no-permission', needs: [], status: 500, body: 'Error::AccessDenied', fields: { 'content-length': '19' } },
  {
    name: 'outbound-mqtt', needs: ['mqtt'], component: ({ mqtt }) => allowed(`mqtt://localhost:${mqtt}`), ...EMPTY,
    headers: ({ mqtt }) => ({ MQTT_ADDRESS: `mqtt://localhost:${mqtt}?client_id=spintest`, MQTT_USERNAME: 'user', MQTT_PASSWORD: 'password' }),
  },
  {
    name: 'outbound-mqtt-no-permission', needs: [], status: 500,
    headers: () => ({ MQTT_ADDRESS: 'mqtt://localhost:1883?client_id=spintest', MQTT_USERNAME: 'user', MQTT_PASSWORD: 'password' }),
    body: 'Error::ConnectionFailed("address mqtt://localhost:1883?client_id=spintest is not permitted")',
  },
  {
    name: 'outbound-redis', needs: ['redis'], component: ({ redis }) => allowed(`redis://localhost:${redis}`), ...EMPTY,
    headers: ({ redis }) => ({ redis_address: `redis://localhost:${redis}` }),
  },
  { name: 'outbound-redis-no-permission', needs: [], headers: () => ({ redis_address: 'redis://localhost:6379' }), status: 500, body: 'Error::InvalidAddress' },
  {
    name: 'outbound-redis-variable-permission', needs: ['redis'], variables: 'redis_host = { default = "localhost" }', ...EMPTY,
    component: ({ redis }) => allowed(`redis://{{ redis_host }}:${redis}`), headers: ({ redis }) => ({ redis_address: `redis://localhost:${redis}` }),
  },
  {
    name: 'outbound-wasi-http', needs: ['http'], component: ({ http }) => allowed(`http://localhost:${http}`),
    headers: ({ http }) => ({ url: `http://localhost:${http}` }), body: 'Hello, world!', fields: { 'content-type': 'text/plain' },
  },
  {
    name: 'outbound-wasi-http-no-permission', needs: [], headers: () => ({ url: 'http://localhost:1234' }), status: 500,
    body: 'incoming-response#get: ErrorCode::HttpRequestDenied', fields: { 'content-length': '28' },
  },
  {
    name: 'postgres', needs: ['postgres'], component: ({ postgres }) => allowed(`*://localhost:${postgres}`), ...EMPTY,
    headers: ({ postgres }) => ({ PG_CONNECTION_STRING: `host=localhost port=${postgres} user=postgres password=postgres dbname=spin_dev` }),
  },
  { name: 'request-shape', needs: [], route: '/base/:path_segment/:path_end/...', path: '/base/path/end/rest?key=value', headers: () => ({ 'User-Agent': 'my-agent', Accept: '*/*' }), ...EMPTY },
  { name: 'sqlite', needs: [], component: () => 'sqlite_databases = ["default"]', ...EMPTY },
  { name: 'sqlite-no-permission', needs: [], status: 500, body: 'Error::AccessDenied' },
  { guest: 'tcp-sockets', name: 'tcp-sockets', needs: ['tcp'], component: ({ tcp: port }) => allowed(`*://127.0.0.1:${port}`), headers: tcp, ...EMPTY },
  { guest: 'tcp-sockets', name: 'tcp-sockets-ip-range', needs: ['tcp'], component: ({ tcp: port }) => allowed(`*://127.0.0.0/24:${port}`), headers: tcp, ...EMPTY },
  {
    guest: 'tcp-sockets', name: 'tcp-sockets-ip-range-variable-permission', needs: ['tcp'], variables: 'addr_prefix = { default = "127.0.0.0" }\nprefix_len = { default = "24" }', headers: tcp, ...EMPTY,
    component: ({ tcp: port }) => allowed(`*://{{ addr_prefix }}/{{ prefix_len }}:${port}`),
  },
  { guest: 'tcp-sockets', name: 'tcp-sockets-no-ip-permission', needs: [], component: () => allowed('*://127.0.0.2:6001'), headers: () => ({ address: '127.0.0.1:7' }), ...TCP_DENIED },
  { guest: 'tcp-sockets', name: 'tcp-sockets-no-port-permission', needs: [], component: () => allowed('*://127.0.0.1:6002'), headers: () => ({ address: '127.0.0.1:7' }), ...TCP_DENIED },
  { name: 'variables', needs: [], component: () => 'variables = { variable = "value" }', ...EMPTY },
];

export function manifestOf(spinCase: SpinCase, ports: CasePorts, authority: string): string {
  return `spin_manifest_version = 2
[application]
name = "${spinCase.name}"
${spinCase.variables ? `[variables]\n${spinCase.variables}` : ''}
[[trigger.http]]
route = "${spinCase.route ?? '/...'}"
component = "test"
[component.test]
source = "guest.wasm"
environment = { CASE = "${spinCase.name}", AUTHORITY = "${authority}" }
${spinCase.component?.(ports) ?? ''}
`;
}
