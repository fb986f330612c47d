import type { HandlerKind } from '#contract/artifact.js';
import type { HostBinding, HostResolver } from '#engine/run/host.js';
import type { Capability } from './capability.js';
import { BLOBSTORE_DRAFT } from './blobstore/blobstore.capability.js';
import { CLI } from './cli/cli.capability.js';
import { CLOCKS } from './clocks.capability.js';
import { deniedBinding } from './denied.js';
import { FILESYSTEM } from './filesystem/filesystem.capability.js';
import type { GuestState } from './guest.js';
import { HTTP_2023_10_18 } from './http/http-2023-10-18.capability.js';
import { HTTP_02 } from './http/http-02.capability.js';
import { HTTP_03 } from './http/http-03.capability.js';
import { IO_ERROR, POLL } from './io/poll.capability.js';
import { STREAMS, STREAMS_AT_ONCE } from './io/streams.capability.js';
import { KEY_VALUE } from './key-value/key-value.capability.js';
import { LOGGING } from './logging/logging.capability.js';
import { MQTT } from './mqtt/mqtt.capability.js';
import { MYSQL } from './mysql/mysql.capability.js';
import { OTEL } from './otel/otel.capability.js';
import { POSTGRES_4 } from './postgres/postgres-4.capability.js';
import { POSTGRES_OLDER } from './postgres/postgres-older.capability.js';
import { RANDOM } from './random.capability.js';
import { RDBMS_TYPES } from './rdbms/rdbms-types.capability.js';
import { REDIS } from './redis/redis.capability.js';
import { LLM } from './llm/llm.capability.js';
import { SQLITE } from './sqlite/sqlite.capability.js';
import { SOCKETS_02 } from './sockets/sockets-02.capability.js';
import { SOCKETS_03 } from './sockets/sockets-03.capability.js';
import { SPIN_HTTP } from './spin-http/spin-http.capability.js';
import { VARIABLES } from './variables/variables.capability.js';

/** Everything a guest may import. A new capability is one file and one line here, and its interfaces in `#contract/interfaces.js`. */
export const CAPABILITIES: readonly Capability[] = [
  ...BLOBSTORE_DRAFT,
  ...CLI,
  ...CLOCKS,
  ...FILESYSTEM,
  ...HTTP_2023_10_18,
  ...HTTP_02,
  ...HTTP_03,
  ...IO_ERROR,
  ...POLL,
  ...STREAMS,
  ...MYSQL,
  ...POSTGRES_4,
  ...POSTGRES_OLDER,
  ...RANDOM,
  ...SOCKETS_02,
  ...SOCKETS_03,
  ...SPIN_HTTP,
  ...RDBMS_TYPES,
  ...KEY_VALUE,
  ...MQTT,
  ...REDIS,
  ...LLM,
  LOGGING,
  ...OTEL,
  ...SQLITE,
  ...VARIABLES,
];

const byInterface = new Map<string, ReadonlyMap<string, HostBinding<GuestState>>>(
  CAPABILITIES.map(({ name, version, functions }) => [version === null ? name : `${name}@${version}`, new Map(Object.entries(functions))]),
);

/** `wasi:http/types@0.2.3` → `wasi:http/types@0.2`: releases of one line are compatible, pre-releases are not. */
function lineOf(iface: string): string {
  return iface.replace(/@(0\.[23])\.\d+$/, '@$1');
}

/** Finds the host's function for an import of a guest; undefined: there is none (for `[resource-drop]…`: nothing to do). */
export const resolveHost: HostResolver<GuestState> = (iface, name, denied) => (denied ? deniedBinding(iface, name) : byInterface.get(lineOf(iface))?.get(name));

/** What is known of a component since it was built. */
interface Component {
  imports: readonly string[];
  handlers: readonly HandlerKind[];
}

const streamsAtOnce = new Map(Object.entries(STREAMS_AT_ONCE));

/**
 * `resolveHost` for one component. One that speaks HTTP by 0.3 alone, and opens no 0.2 sockets, gets 0.2 streams that never wait: it can then run
 * without JSPI, at half the cost for each request. Not a command, whose standard streams may be a client's connection (WAGI).
 */
export function resolverFor({ imports, handlers }: Component): HostResolver<GuestState> {
  if (handlers.includes('command')) return resolveHost;
  const has = (beginning: string) => imports.some((name) => name.startsWith(beginning));
  if (!has('wasi:http/types@0.3') || has('wasi:http/types@0.2') || has('wasi:sockets/tcp@0.2')) return resolveHost;
  return (iface, name, denied) => (lineOf(iface) === 'wasi:io/streams@0.2' ? streamsAtOnce.get(name) : resolveHost(iface, name, denied));
}
