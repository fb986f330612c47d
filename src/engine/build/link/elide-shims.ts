import type { CoreRef, PlanOptions, PlanStep, StepArg } from '#engine/plan.js';
import type { CoreModule } from '#engine/build/core/core-module.js';
import { signatureOf } from '#engine/build/core/core-types.js';
import type { LinkedComponent } from './linker.js';
import { readFixup, readShim, type FixupModule, type ShimModule } from './shim-module.js';

interface Pair {
  shimStep: number;
  fixupStep: number;
  shim: ShimModule;
  fixup: FixupModule;
}

/** What a core instance gives under a name, followed through bags. */
function resolve(arg: StepArg | undefined, name: string): CoreRef | undefined {
  if (arg === undefined) return undefined;
  return arg.k === 'instance' ? { k: 'export', step: arg.step, name } : arg.exports[name];
}

function argOf(step: PlanStep, module: string): StepArg | undefined {
  return step.args.find(([name]) => name === module)?.[1];
}

class Elision {
  private readonly plan: LinkedComponent['plan'];

  constructor(private readonly linked: LinkedComponent) {
    this.plan = linked.plan;
  }

  run(): LinkedComponent {
    for (const pair of this.pairs()) this.bypass(pair);
    return this.linked;
  }

  private module(step: number): CoreModule {
    return this.linked.modules[this.plan.steps[step]!.module]!;
  }

  /** From last to first, so that removing steps leaves the indices of pairs still to come as they are. */
  private pairs(): Pair[] {
    const pairs: Pair[] = [];
    this.plan.steps.forEach((step, fixupStep) => {
      const fixup = readFixup(this.module(fixupStep));
      const table = fixup && resolve(argOf(step, fixup.table.module), fixup.table.name);
      if (!fixup || table?.k !== 'export') return;
      const shim = readShim(this.module(table.step));
      if (shim !== null && shim.table === table.name) pairs.push({ shimStep: table.step, fixupStep, shim, fixup });
    });
    const single = pairs.filter((pair) => pairs.filter(({ shimStep }) => shimStep === pair.shimStep).length === 1);
    return single.sort((a, b) => b.shimStep - a.shimStep);
  }

  private bypass({ shimStep, fixupStep, shim, fixup }: Pair): void {
    // only names may lead to the shim: a step that gets the whole instance could be looking at its table
    const wholeUsers = this.plan.steps.filter((step, i) => i !== fixupStep && step.args.some(([, arg]) => arg.k === 'instance' && arg.step === shimStep));
    if (wholeUsers.length > 0) return;
    const direct = this.directRefs({ shimStep, fixupStep, shim, fixup });
    const replace = (ref: CoreRef): CoreRef => (ref.k === 'export' && ref.step === shimStep ? direct.get(ref.name) ?? ref : ref);
    this.mapRefs(replace, fixupStep);
    if (!this.isUsed(shimStep, fixupStep)) this.removeSteps(new Set([shimStep, fixupStep]));
  }

  /** The functions of the shim that end at the host, by export name; those that end in another module still need the table. */
  private directRefs({ shimStep, fixupStep, shim, fixup }: Pair): Map<string, CoreRef> {
    const direct = new Map<string, CoreRef>();
    const shimModule = this.module(shimStep);
    const fixupModule = this.module(fixupStep);
    for (const [name, slot] of shim.slots) {
      const source = fixup.fill.get(slot);
      const ref = source && resolve(argOf(this.plan.steps[fixupStep]!, source.module), source.name);
      if (!source || ref?.k !== 'trampoline') continue;
      const wanted = signatureOf(shimModule.exports.find((item) => item.name === name)!.type);
      const given = signatureOf(fixupModule.imports.find((item) => item.module === source.module && item.name === source.name)!.type);
      if (wanted !== null && wanted === given) direct.set(name, ref);
    }
    return direct;
  }

  private isUsed(shimStep: number, fixupStep: number): boolean {
    let used = false;
    this.mapRefs((ref) => {
      if (ref.k === 'export' && (ref.step === shimStep || ref.step === fixupStep)) used = true;
      return ref;
    }, fixupStep);
    return used || this.plan.steps.some((step) => step.args.some(([, arg]) => arg.k === 'instance' && arg.step === fixupStep));
  }

  private removeSteps(gone: Set<number>): void {
    const { plan } = this;
    const renumbered = new Map<number, number>();
    plan.steps.forEach((_, i) => {
      if (!gone.has(i)) renumbered.set(i, renumbered.size);
    });
    plan.steps = plan.steps.filter((_, i) => !gone.has(i));
    this.mapRefs((ref) => (ref.k === 'export' ? { ...ref, step: renumbered.get(ref.step)! } : ref));
    for (const step of plan.steps) {
      step.args = step.args.map(([name, arg]) => [name, arg.k === 'instance' ? { k: 'instance', step: renumbered.get(arg.step)! } : arg]);
    }
  }

  /** Replaces every core reference of the plan; those in the bags of `exceptStep` stay. */
  private mapRefs(map: (ref: CoreRef) => CoreRef, exceptStep = -1): void {
    const { steps, lifts, trampolines, resources } = this.plan;
    steps.forEach((step, i) => {
      if (i === exceptStep) return;
      step.args = step.args.map(([name, arg]) => [name, arg.k === 'bag' ? { k: 'bag', exports: mapBag(arg.exports, map) } : arg]);
    });
    for (const lift of lifts) {
      lift.core = map(lift.core);
      mapOptions(lift.options, map);
    }
    for (const trampoline of trampolines) if ('options' in trampoline && trampoline.options) mapOptions(trampoline.options, map);
    for (const resource of resources) resource.dtor = resource.dtor && map(resource.dtor);
  }
}

function mapBag(exports: Record<string, CoreRef>, map: (ref: CoreRef) => CoreRef): Record<string, CoreRef> {
  return Object.fromEntries(Object.entries(exports).map(([name, ref]) => [name, map(ref)]));
}

function mapOptions(options: PlanOptions, map: (ref: CoreRef) => CoreRef): void {
  options.memory = options.memory && map(options.memory);
  options.realloc = options.realloc && map(options.realloc);
  options.postReturn = options.postReturn && map(options.postReturn);
  options.callback = options.callback && map(options.callback);
}

/**
 * Takes out the pair of modules that wit-component adds so that a function may need a memory which is made later: here a host
 * function finds its memory when it is called, so it can stand in the imports at once. A call through the shim's table costs, and
 * each core instance does. Where a shim also leads to other modules (the preview 1 adapter), those entries keep it. Changes and
 * returns `linked`; a module that no step uses any more stays in `modules`.
 */
export function elideShims(linked: LinkedComponent): LinkedComponent {
  return new Elision(linked).run();
}
