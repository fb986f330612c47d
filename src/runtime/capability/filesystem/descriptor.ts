import type { ByteSource } from '../guest.js';
import type { OutputStream } from '../io/output-stream.js';
import type { PathFault } from './tree.js';

export type FileFault =
  | PathFault | 'read-only' | 'exist' | 'is-directory' | 'bad-descriptor' | 'io' | 'unsupported' | 'invalid' | 'not-empty' | 'cross-device'
  | 'insufficient-space' | 'file-too-large';

/** A refusal, told apart from every value by its class. */
export class Refused {
  constructor(readonly fault: FileFault) {}
}

export interface OpenFlags {
  create: boolean;
  directory: boolean;
  exclusive: boolean;
  truncate: boolean;
}

export interface DescriptorFlags {
  read: boolean;
  write: boolean;
  fileIntegritySync: boolean;
  dataIntegritySync: boolean;
  requestedWriteSync: boolean;
  mutateDirectory: boolean;
}

/** `datetime` of wasi:clocks, `instant` in 0.3. */
export interface Datetime {
  seconds: bigint;
  nanoseconds: number;
}

export type NewTimestamp = { tag: 'no-change' | 'now' } | { tag: 'timestamp'; val: Datetime };

export type FileKind = 'directory' | 'regular-file';

/** `descriptor-stat` without its type. */
export interface Stat {
  linkCount: bigint;
  size: bigint;
  dataAccessTimestamp?: Datetime;
  dataModificationTimestamp?: Datetime;
  statusChangeTimestamp?: Datetime;
}

export interface DirectoryEntry {
  type: FileKind;
  name: string;
}

/** Most that one `read` hands over. */
export const MAX_READ_BYTES = 16 * 1024 * 1024;

const READ_ONLY = new Refused('read-only');

/**
 * A `descriptor` of wasi:filesystem, one implementation for all versions. What changes something is refused unless a kind of descriptor says
 * otherwise; what may be done is in the terms of the interface: a value, undefined for none, or a `Refused`.
 */
export abstract class Descriptor {
  abstract readonly kind: FileKind;
  abstract flags(): DescriptorFlags;
  abstract stat(): Stat;
  abstract hash(): { lower: bigint; upper: bigint };
  /** The bytes, and whether the end of the file is reached. */
  abstract read(length: bigint, offset: bigint): [Uint8Array, boolean] | Refused;
  abstract source(offset: bigint): ByteSource | Refused;
  abstract entries(): readonly DirectoryEntry[] | Refused;
  abstract openAt(path: string, open: OpenFlags, flags: DescriptorFlags): Descriptor | Refused;
  /** What lies at a path, without opening it: for `stat-at` and `metadata-hash-at`. */
  abstract at(path: string): Descriptor | Refused;
  abstract isSame(other: Descriptor): boolean;
  abstract readLink(path: string): Refused;

  setSize(_size: bigint): Refused | undefined {
    return READ_ONLY;
  }

  setTimes(_access: NewTimestamp, _modification: NewTimestamp): Refused | undefined {
    return READ_ONLY;
  }

  setTimesAt(_path: string, _access: NewTimestamp, _modification: NewTimestamp): Refused | undefined {
    return READ_ONLY;
  }

  /** How many bytes were written: all of them. */
  write(_bytes: Uint8Array, _offset: bigint): bigint | Refused {
    return READ_ONLY;
  }

  /** @param offset null: always at the end */
  sink(_offset: bigint | null): OutputStream | Refused {
    return READ_ONLY;
  }

  createDirectoryAt(_path: string): Refused | undefined {
    return READ_ONLY;
  }

  linkAt(_path: string, _to: Descriptor, _newPath: string): Refused | undefined {
    return READ_ONLY;
  }

  symlinkAt(_target: string, _path: string): Refused | undefined {
    return READ_ONLY;
  }

  removeDirectoryAt(_path: string): Refused | undefined {
    return READ_ONLY;
  }

  unlinkFileAt(_path: string): Refused | undefined {
    return READ_ONLY;
  }

  renameAt(_path: string, _to: Descriptor, _newPath: string): Refused | undefined {
    return READ_ONLY;
  }

  /** The guest dropped it. */
  drop(): void {}
}
