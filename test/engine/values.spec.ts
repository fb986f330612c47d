import { describe, expect, it } from '@jest/globals';
import type { Slot } from '#engine/run/slot.js';
import { BUDGET_NS, programOf, type Host } from './engine-harness.js';
import { CASES, valueComponent } from './value-component.js';

const ECHO = 't:t/echo';

function host(seen: unknown[] = []): Host {
  return Object.fromEntries(CASES.map(({ name }) => [`${ECHO}#${name}`, (value: unknown) => {
    seen.push(value);
    return value;
  }]));
}

async function slot(encoding?: 'utf16' | 'compact-utf16', seen?: unknown[]): Promise<Slot<unknown>> {
  const made = (await programOf(await valueComponent(encoding), host(seen))).newSlot({});
  made.instantiate(BUDGET_NS);
  return made;
}

describe('values', () => {
  it.each(CASES)('passes $type into a guest, to the host, and back', async ({ name, values }) => {
    const seen: unknown[] = [];
    const guest = await slot(undefined, seen);
    for (const value of values) expect(await guest.call(ECHO, name, [value])).toEqual(value);
    expect(seen).toEqual(values);
  });

  it.each(['utf16', 'compact-utf16'] as const)('passes strings of all kinds in %s', async (encoding) => {
    const guest = await slot(encoding);
    for (const { name, values } of CASES.filter(({ type }) => type.includes('string') || type.includes('point'))) {
      for (const value of values) expect(await guest.call(ECHO, name, [value])).toEqual(value);
    }
  });

  it('gives the same values as jco does', async () => {
    const { transpile } = await import('@bytecodealliance/jco');
    const component = await valueComponent();
    const { files } = await transpile(component, { name: 'echo', instantiation: { tag: 'sync' } } as never);
    const entries = Object.entries(files as Record<string, Uint8Array>);
    const source = Buffer.from(entries.find(([name]) => name === 'echo.js')![1]).toString('utf8');
    const glue = await import(`data:text/javascript;base64,${Buffer.from(source).toString('base64')}`);
    const imports = Object.fromEntries(CASES.map(({ name }) => [name.replace(/-(\w)/g, (_, c: string) => c.toUpperCase()), (value: unknown) => value]));
    const exports = glue.instantiate(
      (name: string) => new WebAssembly.Module(entries.find(([file]) => file === name)![1]),
      { [ECHO]: imports },
    );
    const theirs = exports.echo ?? exports[ECHO];
    const ours = await slot();
    for (const { name, values } of CASES) {
      const key = name.replace(/-(\w)/g, (_, c: string) => c.toUpperCase());
      for (const value of values) expect(await ours.call(ECHO, name, [value])).toEqual(theirs[key](value));
    }
  });
});
