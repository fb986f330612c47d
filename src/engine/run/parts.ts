import type { CoreRef, PlanOptions } from '#engine/plan.js';
import type { CallContext } from '#engine/run/abi/codec.js';
import type { TypeTable } from '#engine/run/abi/type-table.js';
import type { GuestFunction } from './task.js';
import type { ComponentInstance } from './instance.js';
import type { Scheduler } from './scheduler.js';
import type { StackSwitch } from './stack-switch.js';
import type { StackAnalysis } from './stack-analysis.js';
import type { HostFunction } from './host.js';
import type { ResourceType } from './resource.js';

/** What the functions between guests and host are made of: one slot's own parts, and its program's shared ones. */
export interface Parts {
  readonly types: TypeTable;
  readonly resources: readonly ResourceType[];
  readonly analysis: StackAnalysis;
  readonly scheduler: Scheduler;
  readonly stacks: StackSwitch;
  readonly instances: readonly ComponentInstance[];
  /** Grows with each instantiation: core functions looked up before are old. */
  readonly instantiation: number;
  context(options: PlanOptions): CallContext;
  core(ref: CoreRef): WebAssembly.ExportValue;
  lift(index: number): GuestFunction;
  /** The component instance whose function lift `index` is. */
  liftInstance(index: number): ComponentInstance;
  /** The host's function behind trampoline `id`; null for a resource type whose end the host does not care for. */
  host(id: number): HostFunction | null;
}
