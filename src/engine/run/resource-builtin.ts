import type { CoreRef, PlanTrampoline } from '#engine/plan.js';
import { importFunction } from './import-function.js';
import { callDestructor } from './lower-guest.js';
import type { Parts } from './parts.js';
import type { StackEntry } from './stack-switch.js';
import type { GuestFunction, Task } from './task.js';

type ResourceTrampoline = Extract<PlanTrampoline, { resource: number }>;

/** `canon resource.new`, `resource.rep` and `resource.drop`. */
export function resourceBuiltin(parts: Parts, id: number, plan: ResourceTrampoline, dtor: CoreRef | null): WebAssembly.CoreFunction {
  const type = parts.resources[plan.resource];
  const instance = parts.instances[plan.instance];
  const { handles } = instance;
  switch (plan.op) {
    case 'resource.new':
      return importFunction(parts, id, { params: ['i32'], result: 'i32' }, ([rep]) => {
        instance.leave();
        return handles.add(type, rep);
      });
    case 'resource.rep':
      return importFunction(parts, id, { params: ['i32'], result: 'i32' }, ([handle]) => handles.get(type, handle as number));
    case 'resource.drop': {
      const host = type.isHost ? parts.host(id) : null;
      const destructor = dtor && new Destructor(parts, dtor, type.instance);
      return importFunction(parts, id, { params: ['i32'], result: null }, ([handle]) => {
        instance.leave();
        const value = handles.get(type, handle as number);
        const scope = handles.scopeOf(handle as number);
        handles.remove(handle as number);
        if (scope) scope.borrows--;
        else if (host) host(value);
        else if (destructor) callDestructor(parts, destructor, type.instance, value as number);
      });
    }
  }
}

/** The destructor of a guest's resource type: a core function of one i32. */
class Destructor implements GuestFunction {
  readonly async = false;
  readonly style = 'sync';
  private readonly entry: StackEntry | null;

  constructor(private readonly parts: Parts, private readonly ref: CoreRef, instance: number) {
    this.entry = parts.analysis.needsStack(instance) && ref.k === 'export' ? parts.stacks.entry({ params: ['i32'], result: null }) : null;
  }

  call(task: Task, args: unknown[]): unknown {
    const core = this.parts.core(this.ref) as WebAssembly.CoreFunction;
    const rep = args[0] as number;
    return this.entry ? this.entry(task, core, [rep]) : core(rep);
  }

  callback(): never {
    throw new Error('a destructor has no callback');
  }

  finish(task: Task): void {
    this.parts.scheduler.resolve(task, undefined, false);
  }
}
