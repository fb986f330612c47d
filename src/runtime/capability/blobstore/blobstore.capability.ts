import { Err, type HostFunction } from '#engine/run/host.js';
import { perSlot, plain, type Capability } from '../capability.js';
import { EFFECT_REFUSED, refusesEffect } from '../effect.js';
import type { GuestState } from '../guest.js';
import { BlobError } from './blob-error.js';
import type { ObjectId } from './blob-index.js';
import { blobStoreOf, type BlobStore } from './blob-store.js';
import { IncomingValue } from './incoming-value.js';
import { OutgoingValue, textOf } from './outgoing-value.js';

const VERSION = '0.2.0-draft';
const MAX_NAME_BYTES = 1024;
const MAX_NAMES_AT_ONCE = 1_000;

/** `container`: a name; what it stands for is looked up at each use. */
class Container {
  constructor(readonly name: string) {}
}

/** `stream-object-names`: in order, with what was made or deleted meanwhile. */
class ObjectNames {
  private last: string | null = null;

  constructor(private readonly container: string) {}

  read(store: BlobStore, len: bigint): [string[], boolean] {
    const limit = len > MAX_NAMES_AT_ONCE ? MAX_NAMES_AT_ONCE : Number(len);
    const found = store.index.names(this.container, this.last, limit + 1);
    const names = found.slice(0, limit);
    this.last = names.at(-1) ?? this.last;
    return [names, found.length <= limit];
  }
}

/** Any text that is neither empty nor endless; it is never a path of this machine. */
function checked(name: string): string {
  if (name === '' || name.includes('\0') || Buffer.byteLength(name) > MAX_NAME_BYTES) throw new BlobError(`a name has 1 to ${MAX_NAME_BYTES} bytes, none of them 0`);
  return name;
}
const checkedId = ({ container, object }: ObjectId): ObjectId => ({ container: checked(container), object: checked(object) });

/** What a function may do: the app's store, or why there is none. */
function guarded<A extends unknown[], T>(state: GuestState, work: (store: BlobStore, ...args: A) => T): (...args: A) => T | Err {
  return (...args) => {
    try {
      return work(blobStoreOf(state.grant), ...args);
    } catch (error) {
      return new Err(textOf(error));
    }
  };
}

const reading = (work: (store: BlobStore, ...args: never[]) => unknown) => perSlot((state) => guarded(state, work) as HostFunction);

/** It outlives the invocation. */
const writing = (work: (store: BlobStore, maxBytes: number, ...args: never[]) => unknown) =>
  perSlot((state) => guarded(state, (store, ...args: never[]) => {
    if (refusesEffect(state)) throw new BlobError(EFFECT_REFUSED);
    state.invocation.effect?.();
    return work(store, state.grant.settings.blobstoreBytes, ...args);
  }) as HostFunction);

function infoOf(store: BlobStore, name: string): { name: string; createdAt: bigint } {
  const created = store.index.containerCreated(name);
  if (created === undefined) throw new BlobError('there is no such container');
  return { name, createdAt: BigInt(created) };
}

function openContainer(store: BlobStore, name: string): Container {
  infoOf(store, name);
  return new Container(name);
}

/** Both offsets are inclusive; what lies behind the end of the object is left out. */
function getData(state: GuestState, store: BlobStore, id: ObjectId, range: { start: bigint; end: bigint }): IncomingValue {
  if (range.start > range.end) throw new BlobError('the range ends before it starts');
  const entry = store.mustFind(checkedId(id));
  const size = BigInt(entry.bytes);
  const clamp = (offset: bigint) => Number(offset > size ? size : offset);
  return new IncomingValue(state, store.dataPath(entry), clamp(range.start), clamp(range.end + 1n));
}

const BLOBSTORE: Capability['functions'] = {
  'create-container': writing((store, maxBytes, name: string) => {
    store.index.createContainer(checked(name), maxBytes);
    return new Container(name);
  }),
  'get-container': reading((store, name: string) => openContainer(store, name)),
  'delete-container': writing((store, _maxBytes, name: string) => store.forget(store.index.deleteContainer(name))),
  'container-exists': reading((store, name: string) => store.index.containerCreated(name) !== undefined),
  'copy-object': writing((store, maxBytes, from: ObjectId, to: ObjectId) => store.copy(from, checkedId(to), maxBytes)),
  'move-object': writing((store, maxBytes, from: ObjectId, to: ObjectId) => store.move(from, checkedId(to), maxBytes)),
};

const CONTAINER: Capability['functions'] = {
  '[method]container.name': plain((container: Container) => container.name),
  '[method]container.info': reading((store, container: Container) => infoOf(store, container.name)),
  '[method]container.get-data': perSlot((state) => guarded(state, (store, container: Container, object: string, start: bigint, end: bigint) =>
    getData(state, store, { container: container.name, object }, { start, end }))),
  '[method]container.write-data': reading((store, container: Container, object: string, value: OutgoingValue) => {
    infoOf(store, container.name);
    value.aimAt({ container: container.name, object: checked(object) });
  }),
  '[method]container.list-objects': reading((store, container: Container) => new ObjectNames(infoOf(store, container.name).name)),
  '[method]container.delete-object': writing((store, _maxBytes, container: Container, name: string) => store.forget(store.index.delete(container.name, [name]))),
  '[method]container.delete-objects': writing((store, _maxBytes, container: Container, names: string[]) => store.forget(store.index.delete(container.name, names))),
  '[method]container.has-object': reading((store, container: Container, name: string) => store.index.find(container.name, name) !== undefined),
  '[method]container.object-info': reading((store, container: Container, object: string) => {
    const { bytes, created } = store.mustFind({ container: container.name, object });
    return { name: object, container: container.name, createdAt: BigInt(created), size: BigInt(bytes) };
  }),
  '[method]container.clear': writing((store, _maxBytes, container: Container) => store.forget(store.index.clear(container.name))),
  '[method]stream-object-names.read-stream-object-names': reading((store, names: ObjectNames, len: bigint) => names.read(store, len)),
  '[method]stream-object-names.skip-stream-object-names': reading((store, names: ObjectNames, num: bigint) => {
    const [skipped, ended] = names.read(store, num);
    return [BigInt(skipped.length), ended];
  }),
};

const NO_BODY = new Err(undefined);

const TYPES: Capability['functions'] = {
  '[static]outgoing-value.new-outgoing-value': perSlot((state) => () => new OutgoingValue(state)),
  '[method]outgoing-value.outgoing-value-write-body': plain((value: OutgoingValue) => value.body() ?? NO_BODY),
  '[static]outgoing-value.finish': reading((_store, value: OutgoingValue) => value.finish()),
  '[resource-drop]outgoing-value': plain((value: OutgoingValue) => value.discard()),
  '[static]incoming-value.incoming-value-consume-sync': reading((_store, value: IncomingValue) => value.whole()),
  '[static]incoming-value.incoming-value-consume-async': reading((_store, value: IncomingValue) => value.stream()),
  '[method]incoming-value.size': plain((value: IncomingValue) => value.size),
  '[resource-drop]incoming-value': plain((value: IncomingValue) => value.close()),
};

/** `wasi:blobstore`: objects of the app in files of the node, where the operator allows so many bytes of them. */
export const BLOBSTORE_DRAFT: readonly Capability[] = [
  { name: 'wasi:blobstore/blobstore', version: VERSION, functions: BLOBSTORE },
  { name: 'wasi:blobstore/container', version: VERSION, functions: CONTAINER },
  { name: 'wasi:blobstore/types', version: VERSION, functions: TYPES },
];
