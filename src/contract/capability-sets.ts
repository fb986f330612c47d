import { z } from 'zod';

/**
 * What a component may be granted, by the manifest's key, and the interfaces that it is used through, in whatever version. A dependency that
 * does not inherit a set asks these interfaces in vain (Spin's capability sets); all other interfaces hold nothing that was granted.
 */
const SETS = {
  ai_models: ['fermyon:spin/llm'],
  allowed_outbound_hosts: [
    'fermyon:spin/http', 'fermyon:spin/mqtt', 'fermyon:spin/mysql', 'fermyon:spin/postgres', 'fermyon:spin/redis',
    'spin:mqtt/mqtt', 'spin:mysql/mysql', 'spin:postgres/postgres', 'spin:redis/redis',
    'wasi:http/client', 'wasi:http/outgoing-handler',
    'wasi:sockets/ip-name-lookup', 'wasi:sockets/tcp', 'wasi:sockets/tcp-create-socket', 'wasi:sockets/types', 'wasi:sockets/udp', 'wasi:sockets/udp-create-socket',
  ],
  environment: ['wasi:cli/environment'],
  files: ['wasi:filesystem/preopens'],
  key_value_stores: ['fermyon:spin/key-value', 'wasi:blobstore/blobstore', 'spin:key-value/key-value', 'wasi:keyvalue/atomics', 'wasi:keyvalue/batch', 'wasi:keyvalue/store', 'whorl:key-value/extended'],
  sqlite_databases: ['fermyon:spin/sqlite', 'spin:sqlite/sqlite'],
  variables: ['fermyon:spin/config', 'fermyon:spin/variables', 'spin:variables/variables', 'wasi:config/store'],
} as const satisfies Record<string, readonly string[]>;

export const CapabilitySet = z.enum(['ai_models', 'allowed_outbound_hosts', 'environment', 'files', 'key_value_stores', 'sqlite_databases', 'variables']);
export type CapabilitySet = z.infer<typeof CapabilitySet>;

export const CAPABILITY_SETS: Readonly<Record<CapabilitySet, readonly string[]>> = SETS;

/** Interfaces, without versions, of all sets that are not inherited. */
export function deniedInterfaces(inherited: readonly CapabilitySet[]): string[] {
  return CapabilitySet.options.filter((set) => !inherited.includes(set)).flatMap((set) => CAPABILITY_SETS[set]);
}
