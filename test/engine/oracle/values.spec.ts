import { describe, expect, it } from '@jest/globals';
import { Random } from '../../fixtures/random.js';
import { engineGuest, jcoGuest, type Guest } from './guests.js';
import { deviates } from './jco-deviations.js';
import { passThrough } from './pass-through.js';
import { declared, TypeMaker, written, type WitFunction, type WitType } from './wit-type.js';
import { difference, makeValue, show } from './wit-value.js';

const seed = Number(process.env['ORACLE_SEED'] ?? Date.now() % 2 ** 32);
const COMPONENTS = 8;
const FUNCTIONS = 40;
const VALUES = 10;

type Named = [guest: Guest, name: string];

interface Case {
  fn: WitFunction;
  index: number;
  args: unknown[];
  answer: unknown;
}

function told({ fn, args, answer }: Case, what: string): Error {
  const types = [...new Set([...fn.params, fn.result].flatMap(declared))];
  return new Error(`ORACLE_SEED=${seed}: ${what}
    ${types.join('\n    ')}
    func(${fn.params.map(written).join(', ')}) -> ${fn.result ? written(fn.result) : '()'}
    arguments: ${args.map(show).join('\n               ')}
    answer:    ${show(answer)}`);
}

function compare(at: Case, who: string, { seen, result }: { seen: unknown[][]; result: unknown }): void {
  const { fn, args, answer } = at;
  if (seen.length !== 1 || seen[0]!.length !== args.length) throw told(at, `${who}: the host was called ${seen.length} times, with ${seen[0]?.length} arguments`);
  fn.params.forEach((type, i) => {
    const found = difference(type, args[i], seen[0]![i], `argument ${i}`);
    if (found !== null) throw told(at, `${who}: given and seen by the host differ at ${found}`);
  });
  const found = fn.result ? difference(fn.result, answer, result, 'result') : result === undefined ? null : 'the result of none';
  if (found !== null) throw told(at, `${who}: the host's answer and what came back differ at ${found}`);
}

async function check(at: Case, who: string, guest: Guest, call: () => Promise<unknown>): Promise<void> {
  guest.answer(at.answer);
  let result: unknown;
  try {
    result = await call();
  } catch (error) {
    throw told(at, `${who}: ${String(error)}`);
  }
  compare(at, who, { seen: guest.seen(), result });
}

/** One case through one host, and what it wrote into the guest's memory through the other. */
async function both(at: Case, [from, fromName]: Named, [to, toName]: Named): Promise<void> {
  await from.call('clear', []);
  await to.call('clear', []);
  await check(at, fromName, from, () => from.call(`echo${at.index}`, at.args));
  if (await from.call('posts', []) !== 1) throw told(at, `${fromName}: post-return was not called once`);
  await to.call('load', [await from.call('dump', [])]);
  await check(at, `written by ${fromName}, read by ${toName}`, to, () => to.call(`replay${at.index}`, []));
}

describe(`values of made-up types (ORACLE_SEED=${seed})`, () => {
  let comparedWithJco = 0;

  it.each(Array.from({ length: COMPONENTS }, (_, i) => [i, i % 3 === 2 ? 'utf16' : 'utf8'] as const))('pass as they do in jco (component %i, strings in %s)', async (round, encoding) => {
    const random = new Random(seed + round * 7919);
    const maker = new TypeMaker(random);
    const functions = Array.from({ length: FUNCTIONS }, () => maker.function());
    const component = await passThrough(maker.wit, functions, encoding);
    const engine: Named = [await engineGuest(component, functions), 'the engine'];
    const other: Named = [await engineGuest(component, functions), 'another engine'];
    const jco: Named = [await jcoGuest(component, functions), 'jco'];
    for (const [index, fn] of functions.entries()) {
      const isJcoRight = ![...fn.params, fn.result].some((type) => type && deviates(type));
      const partner = isJcoRight ? jco : other;
      for (let i = 0; i < VALUES; i++) {
        const at = { fn, index, args: fn.params.map((type) => makeValue(type, random)), answer: fn.result ? makeValue(fn.result, random) : undefined };
        await both(at, engine, partner);
        await both(at, partner, engine);
        if (isJcoRight) comparedWithJco++;
      }
    }
  });

  it.each(['utf8', 'utf16'] as const)('keep a byte order mark at the start of a string (%s)', async (encoding) => {
    const text: WitType = { k: 'primitive', name: 'string' };
    const fn: WitFunction = { params: [text], result: text };
    const component = await passThrough('', [fn], encoding);
    const engine: Named = [await engineGuest(component, [fn]), 'the engine'];
    await both({ fn, index: 0, args: ['\ufeff'], answer: '\ufeff\ufeffx' }, engine, [await engineGuest(component, [fn]), 'another engine']);
  });

  it('were enough', () => {
    expect(comparedWithJco).toBeGreaterThan(2000);
  });
});
