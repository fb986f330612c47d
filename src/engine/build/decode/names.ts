import type { CoreSort, ExternName, NameAttributes, Sort, SortIndex } from './ast.js';
import { hex, type Reader } from './reader.js';

const CORE_SORTS: Record<number, CoreSort> = {
  0x00: 'func', 0x01: 'table', 0x02: 'memory', 0x03: 'global', 0x04: 'tag', 0x10: 'type', 0x11: 'module', 0x12: 'instance',
};
const SORTS: Record<number, Sort> = { 0x01: 'func', 0x02: 'value', 0x03: 'type', 0x04: 'component', 0x05: 'instance' };

export function readCoreSort(reader: Reader): CoreSort {
  const byte = reader.byte();
  return CORE_SORTS[byte] ?? reader.fail(`unknown core sort ${hex(byte)}`, reader.pos - 1);
}

export function readSort(reader: Reader): Sort {
  const byte = reader.byte();
  if (byte === 0) return `core ${readCoreSort(reader)}`;
  return SORTS[byte] ?? reader.fail(`unknown sort ${hex(byte)}`, reader.pos - 1);
}

export function readSortIndex(reader: Reader): SortIndex {
  return { sort: readSort(reader), index: reader.u32() };
}

const ATTRIBUTES = ['implements', 'versionSuffix', 'externalId'] as const;

/** The name of an import or export with its attributes, each at most once (Binary.md, nameattributes). */
export function readExternName(reader: Reader): ExternName {
  const form = reader.byte();
  if (form > 2) reader.fail(`unknown form of name ${hex(form)}`, reader.pos - 1);
  const name = reader.name();
  if (form !== 2) return { name };
  const attributes: NameAttributes = {};
  reader.vec((r) => {
    const kind = r.byte();
    const key = ATTRIBUTES[kind] ?? r.fail(`unknown name attribute ${hex(kind)}`, r.pos - 1);
    if (attributes[key] !== undefined) r.fail(`the name attribute ${hex(kind)} stands twice`, r.pos - 1);
    attributes[key] = r.name();
  });
  return { name, attributes };
}
