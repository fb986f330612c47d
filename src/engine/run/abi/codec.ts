import { LimitTrap } from '#engine/run/host.js';
import { markCards } from '#engine/run/card-memory.js';
import type { ResourceType } from '#engine/run/resource.js';
import { trap, type CoreType, type Flat } from './layout.js';

/**
 * How values of one type cross the boundary (CanonicalABI.md "Loading", "Storing", "Flat Lifting", "Flat Lowering"). Made once for
 * each type of a program; everything that belongs to a call comes in with the context.
 */
export interface Codec {
  readonly size: number;
  readonly align: number;
  /** Cut off after 17 entries: more than 16 never travel flat. */
  readonly flat: readonly CoreType[];
  load(cx: CallContext, ptr: number): unknown;
  /** Into a place from `allocate` or `checkOut`, or one that was marked. */
  store(cx: CallContext, ptr: number, value: unknown): void;
  lift(cx: CallContext, flat: Flat, at: number): unknown;
  lower(cx: CallContext, flat: Flat, at: number, value: unknown): void;
}

/** A stream or future type. `key` is equal for structurally equal element types. */
export interface PipeType {
  readonly future: boolean;
  readonly key: string;
  readonly element: Codec | null;
  /** The element is u8: chunks are byte arrays. */
  readonly bytes: boolean;
  /** Element is a number (or absent): copied between memories as bytes, also within one instance. */
  readonly plain: boolean;
}

/** A handle that is lent for the time of a call: it cannot be dropped or moved meanwhile. */
export interface Lends {
  handles: number[];
}

/** What the ABI needs of the component instance whose memory it reads and writes. */
export interface HandleScope {
  /** False while the instance runs realloc or post-return: it cannot call out. */
  mayLeave: boolean;
  takeOwn(type: ResourceType, handle: number): unknown;
  borrow(type: ResourceType, handle: number, lends: Lends | null): unknown;
  addOwn(type: ResourceType, value: unknown): number;
  addBorrow(type: ResourceType, value: unknown): number;
  takePipe(type: PipeType, handle: number): unknown;
  addPipe(type: PipeType, value: unknown): number;
  takeErrorContext(handle: number): unknown;
  addErrorContext(value: unknown): number;
}

export interface AbiLimits {
  /** Most bytes that one call may make the host copy out of, or the guest allocate for, its values. */
  maxAllocationBytes: number;
}

export type Encoding = 'utf8' | 'utf16' | 'latin1+utf16';

/** Buffer's own string methods: several times faster than TextDecoder on short strings. */
export interface GuestBytes extends Buffer {
  utf8Slice(start: number, end: number): string;
  latin1Slice(start: number, end: number): string;
  ucs2Slice(start: number, end: number): string;
  utf8Write(text: string, offset: number, length: number): number;
  latin1Write(text: string, offset: number, length: number): number;
  ucs2Write(text: string, offset: number, length: number): number;
}

const EMPTY = Buffer.alloc(0) as GuestBytes;
const EMPTY_VIEW = new DataView(new ArrayBuffer(0));

type Realloc = (oldPtr: number, oldBytes: number, align: number, newBytes: number) => number;

/** Memory, realloc and string encoding of one set of canonical options, in one slot. */
export class CallContext {
  bytes = EMPTY;
  view = EMPTY_VIEW;
  /** Length of what was stored last: the second half of a string's or list's (pointer, length). */
  length = 0;
  /** Collects the handles that are lent while parameters are lifted; null: nothing can drop them before the call ends. */
  lends: Lends | null = null;
  private memory: WebAssembly.Memory | null = null;
  /** Of the memory; null when what is written need not be marked. */
  private marks: Uint8Array | null = null;
  private realloc: Realloc | null = null;
  private spentBytes = 0;

  constructor(readonly handles: HandleScope, readonly encoding: Encoding, private readonly limits: AbiLimits) {}

  /** After each instantiation, once the core instance that exports them is there. */
  bindMemory(memory: WebAssembly.Memory | null, marks: Uint8Array | null = null): void {
    this.memory = memory;
    this.marks = marks;
    this.refresh();
  }

  bindRealloc(realloc: WebAssembly.CoreFunction | null): void {
    this.realloc = realloc as Realloc | null;
  }

  /** Before values are lifted or lowered for a call: memory may have grown, which detaches the views. */
  begin(): void {
    this.spentBytes = 0;
    if (this.bytes.length === 0) this.refresh();
  }

  refresh(): void {
    const buffer = this.memory?.buffer as ArrayBuffer | undefined;
    this.bytes = buffer ? (Buffer.from(buffer) as GuestBytes) : EMPTY;
    this.view = buffer ? new DataView(buffer) : EMPTY_VIEW;
  }

  /** Traps unless `size` bytes at `ptr` are aligned and inside the memory. */
  check(ptr: number, size: number, align: number): void {
    if (ptr % align !== 0) trap(`pointer ${ptr} is not aligned to ${align}`);
    if (ptr + size > this.bytes.length) trap(`${size} bytes at ${ptr} are outside the memory`);
  }

  /** Before anything is written there: only what is marked is wiped at the next reset. `check` comes first. */
  mark(ptr: number, byteLength: number): void {
    if (this.marks) markCards(this.marks, ptr, byteLength);
  }

  /** Traps unless the guest gave a good place for a value, which may then be stored there. */
  checkOut(ptr: number, size: number, align: number): void {
    this.check(ptr, size, align);
    this.mark(ptr, size);
  }

  /** Counts what a call copies: without it a list of overlapping lists makes the host allocate without end. */
  spend(bytes: number): void {
    this.spentBytes += bytes;
    if (this.spentBytes > this.limits.maxAllocationBytes) {
      throw new LimitTrap('allocation', `a call passes more than ${this.limits.maxAllocationBytes} bytes of values`);
    }
  }

  /** Space in guest memory by the guest's own realloc, to be written to. Afterwards `bytes` and `view` may be other objects. */
  allocate(byteLength: number, align: number): number {
    if (!this.realloc) return trap('a value needs memory but the function has no realloc');
    this.spend(byteLength);
    const { handles } = this;
    // left false when realloc throws: the instance is dead then
    handles.mayLeave = false;
    const ptr = this.realloc(0, 0, align, byteLength) >>> 0;
    handles.mayLeave = true;
    if (this.bytes.length === 0) this.refresh();
    this.checkOut(ptr, byteLength, align);
    return ptr;
  }
}
