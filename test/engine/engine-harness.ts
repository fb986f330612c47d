import { afterEach } from '@jest/globals';
import { parse } from '@bytecodealliance/jco';
import type { ComponentDependency } from '#engine/build/compose/composition.js';
import { buildComponent } from '#engine/build/build-component.js';
import type { HostFunction, HostResolver } from '#engine/run/host.js';
import { Program, type CpuClock, type ProgramOptions } from '#engine/run/program.js';
import type { Slot } from '#engine/run/slot.js';

/** A second: far more than any test guest needs. */
export const BUDGET_NS = 1_000_000_000n;

/** A clock that nobody moves on: for tests that are not about CPU time. */
export function stillClock(): CpuClock {
  return {
    memory: new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }),
    now: () => {
      const { user, system } = process.threadCpuUsage();
      return BigInt(user + system) * 1000n;
    },
  };
}

export interface Host {
  /** `iface#name` to function, `denied iface#name` for what a dependency asks in vain. */
  [name: string]: HostFunction;
}

const WAITS = Symbol('waits');

/** Marks a host function that may return a promise. */
export function waiting(fn: HostFunction): HostFunction {
  return Object.assign((...args: unknown[]) => fn(...args), { [WAITS]: true });
}

export function resolver(host: Host): HostResolver<unknown> {
  return (iface, name, denied) => {
    const fn = host[`${denied ? 'denied ' : ''}${iface}#${name}`];
    return fn && { waits: WAITS in fn, bind: () => fn };
  };
}

const slots: Slot<unknown>[] = [];

/** Whatever a test did to its slots, a reset must make the state that instantiation made. */
afterEach(() => {
  for (const slot of slots.splice(0)) {
    slot.reset();
    try {
      slot.instantiate(BUDGET_NS);
    } catch {
      // its start function traps
      continue;
    }
    const { difference } = slot;
    if (difference !== null) throw new Error(`after a reset ${difference} was not as after instantiation`);
  }
});

export async function programOf(component: Uint8Array, host: Host = {}, { dependencies = [], ...options }: Partial<ProgramOptions<unknown>> & { dependencies?: ComponentDependency[] } = {}): Promise<Program<unknown>> {
  const { plan, modules } = await buildComponent(component, { memoryCapBytes: 64 * 2 ** 20, dependencies });
  // a plan is stored as JSON: what does not survive that must not matter
  const program = new Program<unknown>(JSON.parse(JSON.stringify(plan)), modules.map((bytes) => new WebAssembly.Module(bytes)), {
    resolve: resolver(host),
    clock: stillClock(),
    ...options,
  });
  const newSlot = program.newSlot.bind(program);
  program.newSlot = (state) => {
    const slot = newSlot(state);
    slots.push(slot);
    return slot;
  };
  return program;
}

/** An instantiated slot of the component in this text. */
export async function slotOf(wat: string, host: Host = {}, options: Partial<ProgramOptions<unknown>> = {}): Promise<Slot<unknown>> {
  const slot = (await programOf(await parse(wat), host, options)).newSlot({});
  slot.instantiate(BUDGET_NS);
  return slot;
}

/** Lets everything settle that needs no outside event. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** A memory with a bump allocator that hands out `realloc`, for components that pass values. */
export const MEMORY_WAT = `
  (memory (export "memory") 2)
  (global $next (mut i32) (i32.const 4096))
  (func $realloc (export "realloc") (param $old i32) (param $oldn i32) (param $align i32) (param $n i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1))) (i32.sub (i32.const 0) (local.get $align))))
    (global.set $next (i32.add (local.get $at) (local.get $n)))
    (local.get $at))`;
