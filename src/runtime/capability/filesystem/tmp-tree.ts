import type { GuestState, Invocation } from '../guest.js';
import { PIECE_BYTES, type HostMemory } from '../host-memory.js';
import { slotOf, type Slot } from '../slot.js';
import type { Datetime, NewTimestamp } from './descriptor.js';

export interface Times {
  access: Datetime;
  modification: Datetime;
  change: Datetime;
}

const NS_PER_MS = 1_000_000;
function now(): Datetime {
  const ms = Date.now();
  return { seconds: BigInt(Math.floor(ms / 1000)), nanoseconds: (ms % 1000) * NS_PER_MS };
}

let lastId = 0n;

abstract class Node {
  /** Names it for as long as this process runs. */
  readonly id = ++lastId;
  readonly times: Times;

  constructor(readonly tmp: Tmp) {
    const at = now();
    this.times = { access: at, modification: at, change: at };
  }

  modified(): void {
    this.times.modification = this.times.change = now();
  }

  setTimes(access: NewTimestamp, modification: NewTimestamp): void {
    const at = now();
    const pick = (wanted: NewTimestamp, old: Datetime) => (wanted.tag === 'timestamp' ? wanted.val : wanted.tag === 'now' ? at : old);
    this.times.access = pick(access, this.times.access);
    this.times.modification = pick(modification, this.times.modification);
    this.times.change = at;
  }
}

const NOTHING = Buffer.alloc(0);

/** A file: one buffer that grows in steps. */
export class TmpFile extends Node {
  readonly kind = 'file';
  bytes = 0;
  private buffer = NOTHING;
  private descriptors = 0;
  private linked = true;
  /** Nobody can open it any more: nothing is kept of it. */
  private gone = false;

  /** A view, which the next write may change. */
  view(from: number, length: number): Uint8Array {
    return this.buffer.subarray(Math.min(from, this.bytes), Math.min(from + length, this.bytes));
  }

  /** False: there is no room, and nothing was written. */
  write(chunk: Uint8Array, offset: number): boolean {
    if (this.gone) return false;
    if (chunk.length === 0) return true;
    if (!this.grow(Math.max(this.bytes, offset + chunk.length))) return false;
    this.buffer.set(chunk, offset);
    this.modified();
    return true;
  }

  /** False: there is no room. */
  resize(bytes: number): boolean {
    if (this.gone) return false;
    if (bytes > this.bytes) {
      if (!this.grow(bytes)) return false;
    } else this.shrink(bytes);
    this.modified();
    return true;
  }

  opened(): void {
    this.descriptors++;
  }

  closed(): void {
    this.descriptors--;
    if (!this.linked && this.descriptors === 0) this.tmp.forget(this);
  }

  /** Its name is gone; what it holds goes with the last descriptor of it. */
  unlink(): void {
    this.linked = false;
    if (this.descriptors === 0) this.tmp.forget(this);
    else this.tmp.nameless.add(this);
  }

  /** What it held, to be given back. */
  vanish(): number {
    const { length } = this.buffer;
    this.buffer = NOTHING;
    this.bytes = 0;
    this.gone = true;
    return length;
  }

  /** Half as much again, where there is room for it: many small writes shall not copy the whole file each time. */
  private grow(bytes: number): boolean {
    const { buffer } = this;
    if (bytes > buffer.length) {
      const generous = Math.max(bytes, Math.ceil(buffer.length * 1.5));
      const wanted = this.tmp.take(generous - buffer.length) ? generous : this.tmp.take(bytes - buffer.length) ? bytes : null;
      if (wanted === null) return false;
      this.buffer = Buffer.alloc(wanted);
      this.buffer.set(buffer);
    }
    this.bytes = bytes;
    return true;
  }

  private shrink(bytes: number): void {
    const kept = Buffer.from(this.buffer.subarray(0, bytes));
    this.tmp.give(this.buffer.length - kept.length);
    this.buffer = kept;
    this.bytes = bytes;
  }
}

export type TmpNode = TmpFile | TmpFolder;

export class TmpFolder extends Node {
  readonly kind = 'directory';
  readonly children = new Map<string, TmpNode>();
  /** False: removed, or its invocation is over. Nothing is made in it any more. */
  linked = true;

  /** @param parent null: it is the root */
  constructor(tmp: Tmp, public parent: TmpFolder | null) {
    super(tmp);
  }
}

/** What a name takes besides its file's content. */
const nameBytes = (name: string): number => PIECE_BYTES + name.length * 2;

/** The /tmp of one invocation: in memory, of a bounded size, empty at its start and gone at its end. */
export class Tmp {
  readonly root = new TmpFolder(this, null);
  /** Files without a name that are still open. */
  readonly nameless = new Set<TmpFile>();
  private usedBytes = 0;

  /** @param memory the account of the invocation: what lies here is held for it */
  constructor(private readonly maxBytes: number, private readonly memory: HostMemory) {}

  /** False: there is no room for so much. */
  take(bytes: number): boolean {
    if (!this.root.linked || this.usedBytes + bytes > this.maxBytes) return false;
    this.usedBytes += bytes;
    this.memory.add(bytes);
    return true;
  }

  give(bytes: number): void {
    this.usedBytes -= bytes;
    this.memory.give(bytes);
  }

  /** False: there is no room for one more name. */
  add(folder: TmpFolder, name: string, node: TmpNode): boolean {
    if (!this.take(nameBytes(name))) return false;
    folder.children.set(name, node);
    folder.modified();
    return true;
  }

  /** Takes a name away, and what it stands for where nobody else has it. */
  remove(folder: TmpFolder, name: string): void {
    const node = folder.children.get(name)!;
    this.forgetName(folder, name);
    if (node.kind === 'file') node.unlink();
    else node.linked = false;
  }

  /** Gives a node another name; what had that name before is gone. */
  move(folder: TmpFolder, name: string, to: TmpFolder, newName: string): boolean {
    const node = folder.children.get(name)!;
    if (to.children.has(newName)) this.remove(to, newName);
    if (!this.take(nameBytes(newName))) return false;
    this.forgetName(folder, name);
    to.children.set(newName, node);
    if (node.kind === 'directory') node.parent = to;
    to.modified();
    return true;
  }

  /** Nobody can reach the file any more. */
  forget(file: TmpFile): void {
    this.nameless.delete(file);
    this.give(file.vanish());
  }

  /** The invocation is over. A guest that serves others too may have kept descriptors: they lead to nothing now. */
  end(): void {
    for (const file of this.nameless) file.vanish();
    this.nameless.clear();
    const folders = [this.root];
    for (let folder = folders.pop(); folder; folder = folders.pop()) {
      for (const node of folder.children.values()) {
        if (node.kind === 'directory') folders.push(node);
        else node.vanish();
      }
      folder.children.clear();
      folder.linked = false;
    }
    this.give(this.usedBytes);
  }

  private forgetName(folder: TmpFolder, name: string): void {
    folder.children.delete(name);
    folder.modified();
    this.give(nameBytes(name));
  }
}

const tmps = new WeakMap<Slot, { invocation: Invocation; tmp: Tmp }>();

/** The /tmp of the invocation whose code runs. */
export function tmpOf(state: GuestState): Tmp {
  const slot = slotOf(state);
  const { invocation } = state;
  const found = tmps.get(slot);
  if (found?.invocation === invocation) return found.tmp;
  const tmp = new Tmp(state.grant.settings.tmpBytes, state.memory);
  tmps.set(slot, { invocation, tmp });
  state.defer(() => tmp.end());
  return tmp;
}
