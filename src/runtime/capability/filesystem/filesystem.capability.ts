import { Err, type HostBinding, type HostFunction } from '#engine/run/host.js';
import { EOF as PIPE_EOF, hostFuture, hostStream, type Pipe } from '#engine/run/pipe.js';
import { perSlot, plain, type Capability } from '../capability.js';
import { EOF, type GuestState } from '../guest.js';
import type { IoError } from '../io/io-error.js';
import type { OutputStream } from '../io/output-stream.js';
import { atVersions, RC_2023_10_18, SINCE_2023_10_18, SINCE_2023_11_10, SINCE_2026_03_15 } from '../versions.js';
import { AppDescriptor } from './app-descriptor.js';
import { Refused, type Descriptor, type DescriptorFlags, type FileFault, type FileKind, type NewTimestamp, type OpenFlags } from './descriptor.js';
import { FileStream } from './file-stream.js';
import { TmpDescriptor } from './tmp-descriptor.js';
import { treeOf } from './tree.js';

/** The preopened directories: `/`, when the component has files at all, and `/tmp`, where the operator allows one. */
const preopens = perSlot((state) => () => {
  const found: [Descriptor, string][] = [];
  const { files, settings } = state.grant;
  if (files.length > 0) found.push([new AppDescriptor(state, treeOf(state.grant)), '/']);
  if (settings.tmpBytes > 0) found.push([TmpDescriptor.root(state), '/tmp']);
  return found;
});

/** `error-code` is an enum in 0.2 and a variant in 0.3. */
type ToError = (fault: FileFault) => unknown;
const asEnum: ToError = (fault) => fault;
const asVariant: ToError = (fault) => ({ tag: fault });

/** The functions that both versions have, in terms of the version's own error and type. */
function shared(toError: ToError, toType: (kind: FileKind) => unknown): Record<string, HostFunction> {
  const lift = <T, R>(value: T | Refused, map: (value: T) => R): R | Err => (value instanceof Refused ? new Err(toError(value.fault)) : map(value));
  const stat = (descriptor: Descriptor) => ({ ...descriptor.stat(), type: toType(descriptor.kind) });
  const nothing = () => undefined;
  const done = (refused: Refused | undefined) => refused && new Err(toError(refused.fault));
  return {
    advise: nothing,
    sync: nothing,
    'sync-data': nothing,
    'get-flags': (descriptor: Descriptor) => descriptor.flags(),
    'get-type': (descriptor: Descriptor) => toType(descriptor.kind),
    stat,
    'stat-at': (descriptor: Descriptor, _flags: unknown, path: string) => lift(descriptor.at(path), stat),
    'open-at': (descriptor: Descriptor, _flags: unknown, path: string, open: OpenFlags, flags: DescriptorFlags) =>
      lift(descriptor.openAt(path, open, flags), (opened) => opened),
    'readlink-at': (descriptor: Descriptor, path: string) => lift(descriptor.readLink(path), nothing),
    'is-same-object': (descriptor: Descriptor, other: Descriptor) => descriptor.isSame(other),
    'metadata-hash': (descriptor: Descriptor) => descriptor.hash(),
    'metadata-hash-at': (descriptor: Descriptor, _flags: unknown, path: string) => lift(descriptor.at(path), (found) => found.hash()),
    'set-size': (descriptor: Descriptor, size: bigint) => done(descriptor.setSize(size)),
    'set-times': (descriptor: Descriptor, access: NewTimestamp, modification: NewTimestamp) => done(descriptor.setTimes(access, modification)),
    'set-times-at': (descriptor: Descriptor, _flags: unknown, path: string, access: NewTimestamp, modification: NewTimestamp) =>
      done(descriptor.setTimesAt(path, access, modification)),
    'create-directory-at': (descriptor: Descriptor, path: string) => done(descriptor.createDirectoryAt(path)),
    'remove-directory-at': (descriptor: Descriptor, path: string) => done(descriptor.removeDirectoryAt(path)),
    'unlink-file-at': (descriptor: Descriptor, path: string) => done(descriptor.unlinkFileAt(path)),
    'rename-at': (descriptor: Descriptor, path: string, to: Descriptor, newPath: string) => done(descriptor.renameAt(path, to, newPath)),
    'symlink-at': (descriptor: Descriptor, target: string, path: string) => done(descriptor.symlinkAt(target, path)),
    'link-at': (descriptor: Descriptor, _flags: unknown, path: string, to: Descriptor, newPath: string) => done(descriptor.linkAt(path, to, newPath)),
  };
}

const methods = (functions: Record<string, HostFunction>): Record<string, HostBinding<GuestState>> => ({
  ...Object.fromEntries(Object.entries(functions).map(([name, call]) => [`[method]descriptor.${name}`, plain(call)])),
  '[resource-drop]descriptor': plain((descriptor: Descriptor) => descriptor.drop()),
});

class DirectoryEntryStream {
  private next = 0;

  constructor(private readonly entries: readonly unknown[]) {}

  read(): unknown {
    return this.entries[this.next++];
  }
}

const TYPES_02: Capability['functions'] = {
  ...methods({
    ...shared(asEnum, (kind) => kind),
    'read-via-stream': (descriptor: Descriptor, offset: bigint) => {
      const source = descriptor.source(offset);
      return source instanceof Refused ? new Err(source.fault) : new FileStream(source);
    },
    read: (descriptor: Descriptor, length: bigint, offset: bigint) => {
      const result = descriptor.read(length, offset);
      return result instanceof Refused ? new Err(result.fault) : result;
    },
    'read-directory': (descriptor: Descriptor) => {
      const entries = descriptor.entries();
      return entries instanceof Refused ? new Err(entries.fault) : new DirectoryEntryStream(entries);
    },
    write: (descriptor: Descriptor, bytes: Uint8Array, offset: bigint) => {
      const written = descriptor.write(bytes, offset);
      return written instanceof Refused ? new Err(written.fault) : written;
    },
    'write-via-stream': (descriptor: Descriptor, offset: bigint) => sink02(descriptor, offset),
    'append-via-stream': (descriptor: Descriptor) => sink02(descriptor, null),
  }),
  '[method]directory-entry-stream.read-directory-entry': plain((stream: DirectoryEntryStream) => stream.read()),
  'filesystem-error-code': plain((error: IoError) => error.fileCode ?? undefined),
};

function sink02(descriptor: Descriptor, offset: bigint | null): OutputStream | Err {
  const sink = descriptor.sink(offset);
  return sink instanceof Refused ? new Err(sink.fault) : sink;
}

const OK = { tag: 'ok', val: undefined };
const failed = (fault: FileFault) => ({ tag: 'err', val: { tag: fault } });

function readViaStream(descriptor: Descriptor, offset: bigint): [Pipe, Pipe] {
  const source = descriptor.source(offset);
  if (source instanceof Refused) return [hostStream({ pull: () => PIPE_EOF }), hostFuture(failed(source.fault))];
  const result = hostFuture();
  const stream = hostStream({
    pull: (_pipe, max) => {
      try {
        const chunk = source.read(max);
        if (chunk !== EOF) return chunk;
        result.resolve(OK);
      } catch {
        result.resolve(failed('io'));
      }
      return PIPE_EOF;
    },
    cancel: () => result.resolve(OK),
  });
  return [stream, result];
}

function readDirectory(descriptor: Descriptor): [Pipe, Pipe] {
  const entries = descriptor.entries();
  if (entries instanceof Refused) return [hostStream({ pull: () => PIPE_EOF }), hostFuture(failed(entries.fault))];
  const result = hostFuture();
  let next = 0;
  const stream = hostStream({
    pull: (_pipe, max) => {
      if (next < entries.length) return entries.slice(next, (next += max)).map(({ type, name }) => ({ type: { tag: type }, name }));
      result.resolve(OK);
      return PIPE_EOF;
    },
    cancel: () => result.resolve(OK),
  });
  return [stream, result];
}

/** The future says how it went: a stream that is refused is closed. */
function writeViaStream(descriptor: Descriptor, data: Pipe, offset: bigint | null): Pipe {
  const sink = descriptor.sink(offset);
  if (sink instanceof Refused) {
    data.hostDrop();
    return hostFuture(failed(sink.fault));
  }
  const result = hostFuture();
  data.attach({
    write: (chunk) => {
      if (!sink.put(chunk as Uint8Array)) return true;
      result.resolve(failed('insufficient-space'));
      queueMicrotask(() => data.hostDrop());
      return false;
    },
    end: () => result.resolve(OK),
  });
  return result;
}

const TYPES_03: Capability['functions'] = methods({
  ...shared(asVariant, (kind) => ({ tag: kind })),
  'read-via-stream': readViaStream,
  'read-directory': readDirectory,
  'write-via-stream': (descriptor: Descriptor, data: Pipe, offset: bigint) => writeViaStream(descriptor, data, offset),
  'append-via-stream': (descriptor: Descriptor, data: Pipe) => writeViaStream(descriptor, data, null),
});

interface Modes {
  readable: boolean;
  writable: boolean;
  executable: boolean;
}
type AccessType = { tag: 'exists' } | { tag: 'access'; val: Modes };

function accessAt(descriptor: Descriptor, _flags: unknown, path: string, access: AccessType): Err | undefined {
  const found = descriptor.at(path);
  if (found instanceof Refused) return new Err(found.fault);
  if (access.tag === 'exists') return undefined;
  if (access.val.writable && found instanceof AppDescriptor) return new Err('read-only');
  return access.val.executable && found.kind === 'regular-file' ? new Err('access') : undefined;
}

/** What the first candidate has beside: permissions, of which there are none to change, and locks on files that nobody else writes. */
const TYPES_2023_10_18: Capability['functions'] = {
  ...TYPES_02,
  ...methods({
    'access-at': accessAt,
    'change-file-permissions-at': () => new Err('unsupported'),
    'change-directory-permissions-at': () => new Err('unsupported'),
    ...Object.fromEntries(['lock-shared', 'lock-exclusive', 'try-lock-shared', 'try-lock-exclusive', 'unlock'].map((name) => [name, () => new Err('unsupported')])),
  }),
};

/** `wasi:filesystem`: the app's files, read-only, and a private /tmp. */
export const FILESYSTEM: readonly Capability[] = [
  ...atVersions([...SINCE_2023_10_18, ...SINCE_2026_03_15], 'wasi:filesystem/preopens', { 'get-directories': preopens }),
  ...atVersions([RC_2023_10_18], 'wasi:filesystem/types', TYPES_2023_10_18),
  ...atVersions(SINCE_2023_11_10, 'wasi:filesystem/types', TYPES_02),
  ...atVersions(SINCE_2026_03_15, 'wasi:filesystem/types', TYPES_03),
];
