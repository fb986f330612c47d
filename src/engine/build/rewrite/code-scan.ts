import { RewriteError } from '#engine/build/build-error.js';
import type { CoreModule } from '#engine/build/core/core-module.js';
import { Reader } from '#engine/build/decode/reader.js';
import { BodyScanner, type ScannedBody } from './body-scanner.js';
import type { EditList } from './code-edits.js';
import { LeafFinder } from './leaf-functions.js';

export interface Body {
  from: number;
  /** Where the groups of locals begin, and the instructions. */
  localsFrom: number;
  codeFrom: number;
  to: number;
  localGroups: number;
  /** Parameters and locals. */
  locals: number;
  /** Its edits are those from `firstEdit` up to the next body's. */
  firstEdit: number;
}

/** What one walk over the code of a module finds. */
export interface CodeScan {
  bodies: Body[];
  edits: EditList;
  /** The first instruction that changes a table or drops a segment. */
  lasting: string | null;
  /** Why the stores of the module cannot be marked. */
  unmarkable: string | null;
}

function readLocals(reader: Reader, params: number): { localGroups: number; localsFrom: number; locals: number } {
  const localGroups = reader.u32();
  const localsFrom = reader.pos;
  let locals = params;
  for (let groups = localGroups; groups > 0; groups--) {
    locals += reader.u32();
    const type = reader.byte();
    if (type !== 0x63 && type !== 0x64) continue;
    while (reader.byte() & 0x80);
  }
  return { localGroups, localsFrom, locals };
}

/** Walks over the code of a module; null when it has none. Throws `RewriteError` for instructions that nobody knows. */
export function scanCode(module: CoreModule): CodeScan | null {
  const { bytes, importedFuncs, importedMemories, ownMemories, funcArities } = module;
  const section = module.sections.find(({ id }) => id === 10);
  if (section === undefined) return null;
  const reader = new Reader(bytes, section.from, section.to);
  const memories = importedMemories + ownMemories.length;
  const leaves = new LeafFinder(bytes);
  const bodies: (Body & ScannedBody)[] = [];
  for (let i = 0, count = reader.count(); i < count; i++) {
    const body = reader.sub(reader.u32());
    const from = body.pos;
    const { localGroups, localsFrom, locals } = readLocals(body, funcArities[importedFuncs + i]!.params);
    bodies.push({ from, localGroups, localsFrom, locals, codeFrom: body.pos, to: body.end, firstEdit: 0, isLeaf: leaves.isLeaf(body.pos, body.end) });
  }
  if (!reader.done) throw new RewriteError('malformed', 'the code section has bytes left over');
  const scanner = new BodyScanner(module, bodies, memories === 1);
  bodies.forEach((body, i) => {
    body.firstEdit = scanner.edits.length;
    scanner.scan(importedFuncs + i, body);
  });
  const { edits, lasting } = scanner;
  return { bodies, edits, lasting, unmarkable: memories > 1 ? 'several memories in one module' : scanner.unmarkable };
}
