import type { HandleScope, Lends, PipeType } from '#engine/run/abi/codec.js';
import { trap } from '#engine/run/abi/layout.js';
import { ERROR_CONTEXT_HANDLE, type HandleKind, HandleTable, WAITABLE_SET } from './handle-table.js';
import { Pipe, hostFuture } from './pipe.js';
import { type EndHome, type EndKind, PipeEnd, readableKind } from './pipe-end.js';
import { isPromise } from './promise.js';
import { GuestResource, type ResourceType } from './resource.js';
import { Gate, Waitable, WaitableSet } from './task.js';

/** What an error context is outside of guests. */
export interface ErrorContext {
  debugMessage: string;
}

/** The state of one component instance: its handles, who may run in it, and whether it may call out. */
export class ComponentInstance implements HandleScope {
  mayLeave = true;
  readonly gate: Gate;
  readonly handles: HandleTable;
  /** Identity of this life of the slot; see GuestResource. */
  private life: object = {};
  private startCalls: (() => void) | null = null;

  /** `parent`: the instance whose component instantiated it; null: the host. */
  constructor(readonly index: number, private readonly home: EndHome, maxHandles: number, parent: ComponentInstance | null) {
    this.gate = new Gate(parent?.gate ?? null);
    this.handles = new HandleTable(maxHandles);
  }

  reset(life: object): void {
    this.endStart();
    this.gate.clear();
    this.handles.clear();
    this.life = life;
  }

  /** First thing in everything that a guest calls. */
  leave(): void {
    if (!this.mayLeave) this.leaveUnusually();
  }

  /** A start function of it runs: `calls` is told when it calls out for the first time. */
  beginStart(calls: () => void): void {
    this.mayLeave = false;
    this.startCalls = calls;
  }

  endStart(): void {
    this.mayLeave = true;
    this.startCalls = null;
  }

  private leaveUnusually(): void {
    const { startCalls } = this;
    if (!startCalls) trap('the component instance cannot call out now');
    this.endStart();
    startCalls();
  }

  // ---- resources

  takeOwn(type: ResourceType, handle: number): unknown {
    const value = this.handles.get(type, handle);
    if (this.handles.scopeOf(handle)) trap('a borrowed handle cannot be given away');
    this.handles.remove(handle);
    return type.isHost ? value : new GuestResource(this.life, type, value as number, true);
  }

  borrow(type: ResourceType, handle: number, lends: Lends | null): unknown {
    const value = this.handles.get(type, handle);
    if (lends) {
      this.handles.lend(handle);
      lends.handles.push(handle);
    }
    return type.isHost ? value : new GuestResource(this.life, type, value as number, false);
  }

  addOwn(type: ResourceType, value: unknown): number {
    if (type.isHost) {
      if (value === null || value === undefined) throw new TypeError(`the host gave no ${type.name}`);
      return this.handles.add(type, value);
    }
    const resource = this.guestResource(type, value);
    if (!resource.owned) throw new TypeError(`a borrowed ${type.name} cannot be given away`);
    resource.moved = true;
    return this.handles.add(type, resource.rep);
  }

  addBorrow(type: ResourceType, value: unknown): number {
    const scope = this.home.current;
    if (!scope) return trap('a resource is lent outside of a call');
    if (!type.isHost) {
      const { rep } = this.guestResource(type, value);
      // the component that defines the type gets the representation itself
      if (type.instance === this.index) return rep;
      scope.borrows++;
      return this.handles.add(type, rep, scope);
    }
    if (value === null || value === undefined) throw new TypeError(`the host gave no ${type.name}`);
    scope.borrows++;
    return this.handles.add(type, value, scope);
  }

  private guestResource(type: ResourceType, value: unknown): GuestResource {
    if (!(value instanceof GuestResource) || value.type !== type) throw new TypeError(`expected a ${type.name}`);
    if (value.moved) throw new TypeError(`the ${type.name} was given away before`);
    if (value.home !== this.life) throw new TypeError(`the ${type.name} belongs to an instance that is gone`);
    return value;
  }

  // ---- waitables

  waitableSet(handle: number): WaitableSet {
    return this.handles.get(WAITABLE_SET, handle) as WaitableSet;
  }

  waitable(handle: number): Waitable {
    const value = this.handles.peek(handle);
    return value instanceof Waitable ? value : trap(`handle ${handle} is not waitable`);
  }

  // ---- streams and futures

  addEnd(pipe: Pipe, kind: EndKind, type: PipeType): number {
    const end = new PipeEnd(pipe, kind, type, this, this.home);
    end.handle = this.handles.add(kind, end);
    return end.handle;
  }

  /** The end behind a handle of exactly this type. */
  end(kind: EndKind, type: PipeType, handle: number): PipeEnd {
    const end = this.handles.get(kind as HandleKind, handle) as PipeEnd;
    if (end.type.key !== type.key) trap(`the ${kind.name} has elements of another type`);
    return end;
  }

  takePipe(type: PipeType, handle: number): Pipe {
    const end = this.end(readableKind(type), type, handle);
    if (end.state !== 'idle') trap(`a ${end.kind.name} that is busy or done cannot be given away`);
    if (end.set) trap(`a ${end.kind.name} in a waitable set cannot be given away`);
    this.handles.remove(handle);
    return end.pipe;
  }

  addPipe(type: PipeType, value: unknown): number {
    const pipe = value instanceof Pipe ? value : this.pipeOf(type, value);
    if (pipe.future !== type.future) throw new TypeError(`the host gave a ${pipe.future ? 'future' : 'stream'} for a ${type.future ? 'future' : 'stream'}`);
    if (pipe.type && pipe.type.key !== type.key) throw new TypeError('the pipe has elements of another type');
    pipe.type ??= type;
    return this.addEnd(pipe, readableKind(type), type);
  }

  /** A host may give a plain value for a future that is known already. */
  private pipeOf(type: PipeType, value: unknown): Pipe {
    if (!type.future || isPromise(value)) throw new TypeError(`the host gave no ${type.future ? 'future' : 'stream'}`);
    return hostFuture(value);
  }

  // ---- error contexts

  takeErrorContext(handle: number): ErrorContext {
    return { debugMessage: this.handles.get(ERROR_CONTEXT_HANDLE, handle) as string };
  }

  addErrorContext(value: unknown): number {
    return this.handles.add(ERROR_CONTEXT_HANDLE, (value as ErrorContext).debugMessage);
  }

  /** Lets go what the instance still holds: hosts see closed streams, `drop` gets the host's resources. */
  abandon(drop: (type: ResourceType, value: unknown) => void): void {
    if (this.handles.isEmpty) return;
    this.handles.drain((kind, value, owned) => {
      if (value instanceof PipeEnd) value.abandon();
      else if (owned && (kind as ResourceType).isHost === true) drop(kind as ResourceType, value);
    });
  }
}
