/**
 * Interfaces that the platform answers: what a component may import. The registry refuses anything else at push, by name; a test
 * holds this list against the runtime's capability table.
 */

export interface SupportedInterface {
  name: string;
  /** Accepted versions: `0.2` means every 0.2.x that is no pre-release; `2.0.0` exactly that; null: no version. */
  version: string | null;
}

const wasi02 = [
  'wasi:cli/environment', 'wasi:cli/exit', 'wasi:cli/stdin', 'wasi:cli/stdout', 'wasi:cli/stderr', 'wasi:cli/terminal-input',
  'wasi:cli/terminal-output', 'wasi:cli/terminal-stdin', 'wasi:cli/terminal-stdout', 'wasi:cli/terminal-stderr',
  'wasi:clocks/monotonic-clock', 'wasi:clocks/wall-clock',
  'wasi:filesystem/preopens', 'wasi:filesystem/types',
  'wasi:http/types', 'wasi:http/outgoing-handler',
  'wasi:io/error', 'wasi:io/poll', 'wasi:io/streams',
  'wasi:random/random', 'wasi:random/insecure', 'wasi:random/insecure-seed',
  'wasi:sockets/instance-network', 'wasi:sockets/ip-name-lookup', 'wasi:sockets/network', 'wasi:sockets/tcp', 'wasi:sockets/tcp-create-socket',
  'wasi:sockets/udp', 'wasi:sockets/udp-create-socket',
];
const wasi03 = [
  'wasi:cli/environment', 'wasi:cli/exit', 'wasi:cli/stdin', 'wasi:cli/stdout', 'wasi:cli/stderr', 'wasi:cli/types',
  'wasi:cli/terminal-input', 'wasi:cli/terminal-output', 'wasi:cli/terminal-stdin', 'wasi:cli/terminal-stdout', 'wasi:cli/terminal-stderr',
  'wasi:clocks/monotonic-clock', 'wasi:clocks/system-clock', 'wasi:clocks/types',
  'wasi:filesystem/preopens', 'wasi:filesystem/types',
  'wasi:http/types', 'wasi:http/client',
  'wasi:random/random', 'wasi:random/insecure', 'wasi:random/insecure-seed',
  'wasi:sockets/ip-name-lookup', 'wasi:sockets/types',
];

/** The first candidate of 0.2 had errors among the streams, and a clock that knows zones. */
const wasi20231018 = [...wasi02.filter((name) => name !== 'wasi:io/error'), 'wasi:clocks/timezone'];

export const SUPPORTED_INTERFACES: readonly SupportedInterface[] = [
  ...wasi20231018.map((name) => ({ name, version: '0.2.0-rc-2023-10-18' })),
  ...wasi02.flatMap((name) => ['0.2.0-rc-2023-11-10', '0.2'].map((version) => ({ name, version }))),
  ...wasi03.flatMap((name) => ['0.3.0-rc-2026-03-15', '0.3'].map((version) => ({ name, version }))),
  { name: 'fermyon:spin/llm', version: null },
  { name: 'fermyon:spin/llm', version: '2.0.0' },
  { name: 'fermyon:spin/sqlite', version: null },
  { name: 'fermyon:spin/sqlite', version: '2.0.0' },
  ...['3.0.0', '3.1.0'].map((version) => ({ name: 'spin:sqlite/sqlite', version })),
  { name: 'fermyon:spin/config', version: null },
  ...['fermyon:spin/http-types', 'fermyon:spin/http'].map((name) => ({ name, version: null })),
  { name: 'fermyon:spin/variables', version: '2.0.0' },
  { name: 'spin:variables/variables', version: '3.0.0' },
  { name: 'wasi:config/store', version: '0.2.0-draft-2024-09-27' },
  { name: 'fermyon:spin/mqtt', version: '2.0.0' },
  { name: 'spin:mqtt/mqtt', version: '3.0.0' },
  { name: 'fermyon:spin/redis-types', version: null },
  { name: 'fermyon:spin/redis', version: null },
  { name: 'fermyon:spin/redis', version: '2.0.0' },
  { name: 'spin:redis/redis', version: '3.0.0' },
  { name: 'fermyon:spin/key-value', version: null },
  { name: 'fermyon:spin/key-value', version: '2.0.0' },
  ...[null, '2.0.0'].flatMap((version) => ['fermyon:spin/rdbms-types', 'fermyon:spin/postgres', 'fermyon:spin/mysql'].map((name) => ({ name, version }))),
  ...['3.0.0', '4.0.0', '4.1.0', '4.2.0'].map((version) => ({ name: 'spin:postgres/postgres', version })),
  { name: 'spin:mysql/mysql', version: '3.0.0' },
  { name: 'spin:key-value/key-value', version: '3.0.0' },
  ...['store', 'batch', 'atomics'].map((name) => ({ name: `wasi:keyvalue/${name}`, version: '0.2.0-draft2' })),
  ...['blobstore', 'container', 'types'].map((name) => ({ name: `wasi:blobstore/${name}`, version: '0.2.0-draft' })),
  ...['types', 'tracing', 'metrics', 'logs'].map((name) => ({ name: `wasi:otel/${name}`, version: '0.2.0-rc.2' })),
  { name: 'wasi:logging/logging', version: '0.1.0-draft' },
  { name: 'whorl:key-value/extended', version: '0.1.0' },
];

/** Whether an import as written in a component (`wasi:http/types@0.2.3`) is answered. */
export function isSupportedInterface(imported: string): boolean {
  const at = imported.lastIndexOf('@');
  const name = at < 0 ? imported : imported.slice(0, at);
  const version = at < 0 ? null : imported.slice(at + 1);
  return SUPPORTED_INTERFACES.some((known) => known.name === name && matchesVersion(known.version, version));
}

function matchesVersion(known: string | null, version: string | null): boolean {
  if (known === null || version === null) return known === version;
  if (known.split('.').length === 3) return known === version;
  return new RegExp(`^${known.replaceAll('.', '\\.')}\\.\\d+$`).test(version);
}
