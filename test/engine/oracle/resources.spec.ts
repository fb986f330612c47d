import { describe, expect, it } from '@jest/globals';
import { Trap } from '#engine/run/host.js';
import { Random } from '../../fixtures/random.js';
import { BUDGET_NS, programOf } from '../engine-harness.js';
import { jcoProgram } from './guests.js';
import { CELLS, HELD, resourceComponent } from './resource-component.js';
import { show } from './wit-value.js';

const seed = Number(process.env['ORACLE_SEED'] ?? Date.now() % 2 ** 32);
const RUNS = 250;
const STEPS = 30;

/** What a guest is told to do. Cells of its own are named by the place at which they were made. */
type Step =
  | { do: 'make' | 'look' | 'take' | 'drop' | 'cell'; n: number }
  | { do: 'join'; a: number; b: number }
  | { do: 'many' | 'sum'; list: number[] }
  | { do: 'take-none' | 'dropped' }
  | { do: 'get' | 'eat' | 'pass'; cell: number }
  | { do: 'both'; a: number; b: number };

/** What a life should hold. */
interface Alive {
  handles: number[];
  cells: number[];
  made: number;
}

/** One life of the component. */
interface Life {
  cells: unknown[];
  /** What the host saw, drops included. */
  log: string[];
  /** Calls an exported function by its name in WIT. */
  call(name: string, args: unknown[]): Promise<unknown>;
}

class Held {
  constructor(readonly v: number) {}
}

/** The host's side, the same for both. */
function hostOf(log: string[]) {
  const told = <T>(what: string, value: T): T => (log.push(what), value);
  return {
    look: (r: Held) => told(`look ${r.v}`, r.v),
    join: (a: Held, b: Held) => told(`join ${a.v} ${b.v}`, a.v + b.v),
    sum: (rs: Held[]) => told(`sum ${rs.map(({ v }) => v)}`, rs.reduce((sum, { v }) => sum + v, 0)),
    take: (r: Held | undefined) => told(`take ${r?.v}`, r?.v ?? 77),
    drop: (r: Held) => told(`drop ${r.v}`, undefined),
  };
}

async function engineLives(component: Uint8Array): Promise<() => Life> {
  let log: string[] = [];
  const host = (): ReturnType<typeof hostOf> => hostOf(log);
  const slot = (await programOf(component, {
    [`${HELD}#[constructor]r`]: (v: number) => new Held(v),
    [`${HELD}#[method]r.look`]: (r: Held) => host().look(r),
    [`${HELD}#[static]r.join`]: (a: Held, b: Held) => new Held(host().join(a, b)),
    [`${HELD}#many`]: (vs: Uint32Array) => Array.from(vs, (v) => new Held(v)),
    [`${HELD}#sum`]: (rs: Held[]) => host().sum(rs),
    [`${HELD}#take`]: (r: Held | undefined) => host().take(r),
    [`${HELD}#[resource-drop]r`]: (r: Held) => host().drop(r),
  })).newSlot({});
  return () => {
    // what a reset drops belongs to the life before
    slot.reset();
    slot.instantiate(BUDGET_NS);
    log = [];
    return {
      cells: [],
      log,
      call: (name, args) => {
        slot.setBudget(BUDGET_NS);
        return slot.call(CELLS, name, args);
      },
    };
  };
}

type Constructor = new (v: unknown) => { get(): number };

async function jcoLives(component: Uint8Array): Promise<() => Life> {
  const instantiate = await jcoProgram(component);
  return () => {
    const log: string[] = [];
    const host = hostOf(log);
    class R extends Held {
      look(): number { return host.look(this); }
      static join(a: Held, b: Held): R { return new R(host.join(a, b)); }
      [Symbol.dispose](): void { host.drop(this); }
    }
    const exports = instantiate({ [HELD]: { R, many: (vs: Uint32Array) => Array.from(vs, (v) => new R(v)), sum: host.sum, take: host.take } })[CELLS]!;
    const Cell = exports['Cell'] as unknown as Constructor;
    return {
      cells: [],
      log,
      call: async (name, args) => {
        if (name === '[constructor]cell') return new Cell(args[0]);
        if (name === '[method]cell.get') return Cell.prototype.get.call(args[0]);
        return exports[name === 'take-none' ? 'takeNone' : name]!(...args);
      },
    };
  };
}

async function take(life: Life, step: Step): Promise<unknown> {
  const { cells } = life;
  switch (step.do) {
    case 'cell': cells.push(await life.call('[constructor]cell', [step.n])); return cells.length;
    case 'get': return life.call('[method]cell.get', [cells[step.cell]]);
    case 'eat': return life.call('eat', [cells[step.cell]]);
    case 'pass': cells.push(await life.call('pass', [cells[step.cell]])); return cells.length;
    case 'both': return life.call('both', [cells[step.a], cells[step.b]]);
    case 'take-none': case 'dropped': return life.call(step.do, []);
    case 'join': return life.call('join', [step.a, step.b]);
    case 'many': return Array.from(await life.call('many', [Uint32Array.from(step.list)]) as Uint32Array);
    case 'sum': return life.call('sum', [Uint32Array.from(step.list)]);
    default: return life.call(step.do, [step.n]);
  }
}

/** Mostly sensible: `handles` and `cells` are those that are alive, `made` is the number of cells that ever were. */
function makeStep(random: Random, { handles, cells, made }: Alive): Step {
  const handle = (): number => (handles.length === 0 || random.below(40) === 0 ? random.below(6) : random.pick(handles));
  const cell = (): number => (cells.length === 0 || random.below(20) === 0 ? random.below(made) : random.pick(cells));
  if (handles.length < 2 && random.below(10) > 0) return { do: 'make', n: random.below(1000) };
  switch (random.below(made > 0 ? 14 : 9)) {
    case 0: case 1: return { do: 'make', n: random.below(1000) };
    case 2: return { do: 'many', list: Array.from({ length: random.below(4) }, () => random.below(1000)) };
    case 3: return { do: 'look', n: handle() };
    case 4: return { do: 'sum', list: Array.from({ length: random.below(4) }, handle) };
    case 5: return random.below(4) === 0 ? { do: 'take-none' } : { do: 'take', n: handle() };
    case 6: return { do: 'drop', n: handle() };
    case 7: return { do: 'join', a: handle(), b: handle() };
    // jco loses a resource whose representation is 0
    case 8: case 9: return { do: 'cell', n: 1 + random.below(1000) };
    case 10: return { do: 'get', cell: cell() };
    case 11: return { do: 'eat', cell: cell() };
    case 12: return { do: 'pass', cell: cell() };
    default: return random.below(2) === 0 ? { do: 'both', a: cell(), b: cell() } : { do: 'dropped' };
  }
}

/** Whether the specification lets it pass: each handle stands for something, and what is given away is not lent in the same call. */
function isAllowed(step: Step, { handles, cells }: Alive): boolean {
  switch (step.do) {
    case 'look': case 'take': case 'drop': return handles.includes(step.n);
    case 'sum': return step.list.every((handle) => handles.includes(handle));
    case 'join': return step.a !== step.b && handles.includes(step.a) && handles.includes(step.b);
    case 'get': case 'eat': case 'pass': return cells.includes(step.cell);
    case 'both': return cells.includes(step.a) && cells.includes(step.b);
    default: return true;
  }
}

/** Keeps account of what is alive after a step that went well. */
function account(step: Step, value: unknown, alive: Alive): void {
  const { handles, cells } = alive;
  const gone = (list: number[], n: number): void => { list.splice(list.indexOf(n), 1); };
  switch (step.do) {
    case 'make': handles.push(value as number); break;
    case 'many': handles.push(...(value as number[])); break;
    case 'take': case 'drop': gone(handles, step.n); break;
    case 'join': gone(handles, step.b); handles.push(value as number); break;
    case 'cell': cells.push((value as number) - 1); alive.made++; break;
    case 'eat': gone(cells, step.cell); break;
    case 'pass': gone(cells, step.cell); cells.push((value as number) - 1); alive.made++; break;
    default: break;
  }
}

describe(`resources (ORACLE_SEED=${seed})`, () => {
  it('go the same ways as in jco, for any order of calls', async () => {
    const random = new Random(seed);
    const component = await resourceComponent();
    const [engine, jco] = [await engineLives(component), await jcoLives(component)];
    let steps = 0;
    let refused = 0;
    for (let run = 0; run < RUNS; run++) {
      const [ours, theirs] = [engine(), jco()];
      const alive: Alive = { handles: [], cells: [], made: 0 };
      const past: Step[] = [];
      for (let i = 0; i < STEPS; i++) {
        const step = makeStep(random, alive);
        past.push(step);
        const told = (what: string): Error => new Error(`ORACLE_SEED=${seed}: ${what}\n${past.map(show).join('\n')}\nengine: ${ours.log}\njco: ${theirs.log}`);
        if (!isAllowed(step, alive)) {
          // jco lets some of it pass
          const error = await take(ours, step).then(() => null, (thrown: Error) => thrown);
          if (!(error instanceof Trap || error instanceof TypeError)) throw told(`the last step was not refused: ${error?.stack}`);
          refused++;
          break;
        }
        const value = await take(ours, step);
        const expected = await take(theirs, step).catch((error: Error) => {
          throw told(`jco: ${error.message}`);
        });
        if (show(value) !== show(expected) || show(ours.log) !== show(theirs.log)) throw told(`the engine gave ${show(value)}, jco ${show(expected)}`);
        account(step, value, alive);
        steps++;
      }
    }
    expect(steps).toBeGreaterThan(2000);
    expect(refused).toBeGreaterThan(0);
  });

  it('cannot be lent and given away in one call', async () => {
    const life = (await engineLives(await resourceComponent()))();
    const handle = await life.call('make', [5]);
    await expect(life.call('join', [handle, handle])).rejects.toThrow(Trap);
  });
});
