import type { Plan, PlanTrampoline } from '#engine/plan.js';

/**
 * Which imports may have to stop their wasm caller, and so which component instances must run on stacks that can be suspended. Most
 * asynchronous components never do: their calls are plain, with no promise and no microtask.
 */
export class StackAnalysis {
  private readonly stacked: boolean[];

  /** `hostWaits`: whether the host's function behind a trampoline may return a promise. */
  constructor(private readonly plan: Plan, private readonly hostWaits: (id: number) => boolean) {
    this.stacked = Array.from({ length: plan.instances }, () => false);
    // a wait spreads to all that call plainly into the instance: repeat until nothing changes
    for (let changed = true; changed;) {
      changed = false;
      plan.trampolines.forEach((trampoline, id) => {
        if (this.stacked[trampoline.instance] || !this.mayWait(id)) return;
        this.stacked[trampoline.instance] = true;
        changed = true;
      });
    }
  }

  /** Calls into this instance need a stack of their own. */
  needsStack(instance: number): boolean {
    return this.stacked[instance] ?? false;
  }

  /** The trampoline may block its caller. */
  mayWait(id: number): boolean {
    const trampoline = this.plan.trampolines[id];
    switch (trampoline.op) {
      case 'lower': return this.lowerMayWait(trampoline, id);
      case 'resource.drop': {
        const { dtor, instance } = this.plan.resources[trampoline.resource];
        return dtor !== null && this.needsStack(instance);
      }
      case 'waitable-set.wait':
      case 'thread.yield': return true;
      case 'stream.read':
      case 'stream.write':
      case 'future.read':
      case 'future.write': return trampoline.async !== true;
      // a host's task is cancelled at once, a guest's in its own time
      case 'subtask.cancel': return trampoline.async !== true && this.hasGuestSubtasks;
      default: return false;
    }
  }

  private lowerMayWait({ callee, type, options }: Extract<PlanTrampoline, { op: 'lower' }>, id: number): boolean {
    if (options.async) return false;
    if (this.plan.funcTypes[type].async) return true;
    return callee.k === 'host' ? this.hostWaits(id) : this.needsStack(this.plan.lifts[callee.lift].instance);
  }

  private get hasGuestSubtasks(): boolean {
    return this.plan.trampolines.some((other) => other.op === 'lower' && other.options.async && other.callee.k === 'lift');
  }
}
