import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco';
import type { HostResolver } from '#engine/run/host.js';
import type { GuestState } from '#runtime/capability/guest.js';
import { incomingRequest02, responseOutparam02 } from '#runtime/capability/http/server-02.js';
import { resolveHost } from '#runtime/capability/table.js';
import { BUDGET_NS, programOf } from '../engine/engine-harness.js';
import { drain, TestExchange, TestGuest } from './guest-state.js';

const example = join(import.meta.dirname, '../../examples/tiny-wat');
let guest: TestGuest;
afterEach(() => guest.dispose());

describe('a component on these capabilities', () => {
  it('answers each request in one go, with a fresh state', async () => {
    const core = await componentEmbed({
      binary: await parse(readFileSync(join(example, 'tiny.wat'), 'utf8')),
      witSource: readFileSync(join(example, 'wit/tiny.wit'), 'utf8'),
      world: 'tiny',
    });
    const program = await programOf(await componentNew(core, []), {}, { resolve: resolveHost as HostResolver<unknown> });
    expect(program.missing).toEqual([]);
    guest = new TestGuest();
    const slot = program.newSlot(guest satisfies GuestState);
    for (let i = 0; i < 3; i += 1) {
      slot.reset();
      guest.next();
      slot.instantiate(BUDGET_NS);
      const exchange = new TestExchange();
      const outparam = responseOutparam02(exchange);
      await slot.call('wasi:http/incoming-handler@0.2.3', 'handle', [incomingRequest02(exchange), outparam]);
      expect(outparam.answered).toBe(true);
      expect(exchange.answer).toMatchObject({ status: 200, headers: [['content-type', 'text/plain; charset=utf-8']] });
      expect(await drain(exchange.answer!.body)).toBe('hello from tiny 1\n');
    }
  });
});
