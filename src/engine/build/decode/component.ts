import { DecodeError } from '#engine/build/build-error.js';
import type { ComponentAst, CoreInstanceDef, Definition, InstanceDef } from './ast.js';
import { readCanon } from './canon.js';
import { readCoreType } from './core-types.js';
import { readCoreSort, readExternName, readSortIndex } from './names.js';
import { hex, Reader } from './reader.js';
import { readAlias, readExternType, readType } from './types.js';

/** Components nested deeper are refused; composed apps stay below five. */
const MAX_COMPONENT_DEPTH = 24;

const COMPONENT_PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];
const MODULE_PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

function startsWith(bytes: Uint8Array, preamble: number[]): boolean {
  return bytes.length >= preamble.length && preamble.every((byte, i) => bytes[i] === byte);
}

/** What the first eight bytes say, or null when they are not WebAssembly that this engine knows. */
export function wasmKind(bytes: Uint8Array): 'module' | 'component' | null {
  if (startsWith(bytes, COMPONENT_PREAMBLE)) return 'component';
  return startsWith(bytes, MODULE_PREAMBLE) ? 'module' : null;
}

function readCoreInstance(reader: Reader): CoreInstanceDef {
  const form = reader.byte();
  switch (form) {
    case 0x00: {
      const module = reader.u32();
      const args = reader.vec((r): [string, number] => {
        const name = r.name();
        if (r.byte() !== 0x12) r.fail('a core module takes instances only', r.pos - 1);
        return [name, r.u32()];
      });
      return { k: 'core instance', form: 'instantiate', module, args };
    }
    case 0x01: {
      const exports = reader.vec((r) => ({ name: r.name(), sort: readCoreSort(r), index: r.u32() }));
      return { k: 'core instance', form: 'exports', exports };
    }
    default: return reader.fail(`unknown form of core instance ${hex(form)}`, reader.pos - 1);
  }
}

function readInstance(reader: Reader): InstanceDef {
  const form = reader.byte();
  switch (form) {
    case 0x00: {
      const component = reader.u32();
      const args = reader.vec((r) => ({ name: r.name(), ...readSortIndex(r) }));
      return { k: 'instance', form: 'instantiate', component, args };
    }
    case 0x01: return { k: 'instance', form: 'exports', exports: reader.vec((r) => ({ ...readExternName(r), ...readSortIndex(r) })) };
    default: return reader.fail(`unknown form of instance ${hex(form)}`, reader.pos - 1);
  }
}

/** Readers of the sections that are a vector of definitions, by section id. */
const VECTOR_SECTIONS: Record<number, (reader: Reader) => Definition> = {
  2: readCoreInstance,
  3: (r) => ({ k: 'core type', type: readCoreType(r) }),
  5: readInstance,
  6: readAlias,
  7: (r) => ({ k: 'type', type: readType(r) }),
  8: (r) => ({ k: 'canon', ...readCanon(r) }),
  10: (r) => ({ k: 'import', ...readExternName(r), type: readExternType(r) }),
  11: (r) => ({ k: 'export', ...readExternName(r), ...readSortIndex(r), type: r.optional(readExternType) }),
};

function readComponent(reader: Reader, depth: number): ComponentAst {
  if (depth > MAX_COMPONENT_DEPTH) {
    throw new DecodeError('limit', `components are nested deeper than ${MAX_COMPONENT_DEPTH}`, reader.pos);
  }
  if (wasmKind(reader.bytes.subarray(reader.pos, reader.end)) !== 'component') {
    throw new DecodeError(depth === 0 ? 'not-wasm' : 'malformed', 'not a component (layer 1, version 0x0d)', reader.pos);
  }
  reader.pos += COMPONENT_PREAMBLE.length;
  const defs: Definition[] = [];
  while (!reader.done) readSection(reader, defs, depth);
  return { defs };
}

function readSection(reader: Reader, defs: Definition[], depth: number): void {
  const at = reader.pos;
  const id = reader.byte();
  const body = reader.sub(reader.u32());
  switch (id) {
    case 0: body.name(); return;
    case 1: defs.push({ k: 'core module', bytes: body.bytes.subarray(body.pos, body.end), offset: body.pos }); return;
    case 4: defs.push({ k: 'component', component: readComponent(body, depth + 1) }); return;
    case 9: return reader.unsupported('a component start section', at);
    case 12: return reader.unsupported('a component value section', at);
    default: {
      const item = VECTOR_SECTIONS[id] ?? reader.fail(`unknown component section ${id}`, at);
      for (const def of body.vec(item)) defs.push(def);
      if (!body.done) body.fail(`section ${id} has bytes left over`);
    }
  }
}

/**
 * Decodes a component binary (Component Model, Binary.md: layer 1, version 0x0d) into its definitions. Core modules stay
 * subarrays of `bytes`. Custom sections are skipped. Throws `DecodeError` with the byte offset.
 */
export function decodeComponent(bytes: Uint8Array): ComponentAst {
  return readComponent(new Reader(bytes), 0);
}
