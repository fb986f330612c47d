import type { Canon, CanonOptions, PlainCanonOp } from './ast.js';
import { hex, type Reader } from './reader.js';
import { readResultList } from './types.js';

const ENCODINGS = ['utf8', 'utf16', 'latin1+utf16'] as const;
const PLAIN: Record<number, PlainCanonOp> = {
  0x05: 'task.cancel', 0x0d: 'subtask.drop', 0x1e: 'error-context.drop', 0x1f: 'waitable-set.new', 0x22: 'waitable-set.drop',
  0x23: 'waitable.join', 0x24: 'backpressure.inc', 0x25: 'backpressure.dec',
};
/** Known to the specification, not to this engine. */
const REFUSED: Record<number, string> = {
  0x07: 'resource.drop async', 0x08: 'backpressure.set', 0x26: 'thread.index', 0x27: 'thread.new-indirect', 0x28: 'thread.resume-later',
  0x29: 'thread.suspend', 0x2a: 'thread.suspend-then-resume', 0x2b: 'thread.yield-then-resume', 0x2c: 'thread.suspend-then-promote',
  0x2d: 'thread.yield-then-promote', 0x40: 'thread.spawn-ref', 0x41: 'thread.spawn-indirect', 0x42: 'thread.available-parallelism',
};

/** Canonical options; each may stand at most once (CanonicalABI.md, canonopt validation). */
function readOptions(reader: Reader): CanonOptions {
  const options: CanonOptions = { encoding: 'utf8', memory: null, realloc: null, postReturn: null, callback: null, async: false };
  const seen = new Set<string>();
  const once = (name: string) => {
    if (seen.has(name)) reader.fail(`canonical option ${name} stands twice`, reader.pos - 1);
    seen.add(name);
  };
  reader.vec((r) => {
    const kind = r.byte();
    switch (kind) {
      case 0x00: case 0x01: case 0x02: once('string-encoding'); options.encoding = ENCODINGS[kind]!; break;
      case 0x03: once('memory'); options.memory = r.u32(); break;
      case 0x04: once('realloc'); options.realloc = r.u32(); break;
      case 0x05: once('post-return'); options.postReturn = r.u32(); break;
      case 0x06: once('async'); options.async = true; break;
      case 0x07: once('callback'); options.callback = r.u32(); break;
      default: r.fail(`unknown canonical option ${hex(kind)}`, r.pos - 1);
    }
  });
  return options;
}

function expectFuncSort(reader: Reader): void {
  if (reader.byte() !== 0) reader.fail('lift and lower take functions only', reader.pos - 1);
}

function readContext(reader: Reader, op: 'context.get' | 'context.set'): Canon {
  const at = reader.pos;
  if (reader.byte() !== 0x7f) reader.unsupported(`${op} of another type than i32`, at);
  const slot = reader.u32();
  if (slot > 1) reader.fail(`${op}: there are two context slots, not ${slot + 1}`, at);
  return { op, slot };
}

/** Opcodes 0x0e to 0x14 are those of streams, 0x15 to 0x1b the same of futures. */
function readStreamOrFuture(reader: Reader, opcode: number): Canon {
  const kind = opcode < 0x15 ? 'stream' : 'future';
  const type = reader.u32();
  switch (opcode < 0x15 ? opcode - 0x0e : opcode - 0x15) {
    case 0: return { op: `${kind}.new`, type };
    case 1: return { op: `${kind}.read`, type, options: readOptions(reader) };
    case 2: return { op: `${kind}.write`, type, options: readOptions(reader) };
    case 3: return { op: `${kind}.cancel-read`, type, async: reader.flag('async') };
    case 4: return { op: `${kind}.cancel-write`, type, async: reader.flag('async') };
    case 5: return { op: `${kind}.drop-readable`, type };
    default: return { op: `${kind}.drop-writable`, type };
  }
}

/** Reads one canonical definition (Binary.md, canon). */
export function readCanon(reader: Reader): Canon {
  const at = reader.pos;
  const opcode = reader.byte();
  const plain = PLAIN[opcode];
  if (plain !== undefined) return { op: plain };
  if (opcode >= 0x0e && opcode <= 0x1b) return readStreamOrFuture(reader, opcode);
  switch (opcode) {
    case 0x00:
      expectFuncSort(reader);
      return { op: 'lift', func: reader.u32(), options: readOptions(reader), type: reader.u32() };
    case 0x01:
      expectFuncSort(reader);
      return { op: 'lower', func: reader.u32(), options: readOptions(reader) };
    case 0x02: return { op: 'resource.new', type: reader.u32() };
    case 0x03: return { op: 'resource.drop', type: reader.u32() };
    case 0x04: return { op: 'resource.rep', type: reader.u32() };
    case 0x06: return { op: 'subtask.cancel', async: reader.flag('async') };
    case 0x09: return { op: 'task.return', result: readResultList(reader), options: readOptions(reader) };
    case 0x0a: return readContext(reader, 'context.get');
    case 0x0b: return readContext(reader, 'context.set');
    case 0x0c: return { op: 'thread.yield', cancellable: reader.flag('cancellable') };
    case 0x1c: return { op: 'error-context.new', options: readOptions(reader) };
    case 0x1d: return { op: 'error-context.debug-message', options: readOptions(reader) };
    case 0x20: return { op: 'waitable-set.wait', cancellable: reader.flag('cancellable'), memory: reader.u32() };
    case 0x21: return { op: 'waitable-set.poll', cancellable: reader.flag('cancellable'), memory: reader.u32() };
    default: {
      const refused = REFUSED[opcode];
      return refused === undefined ? reader.fail(`unknown canonical opcode ${hex(opcode)}`, at) : reader.unsupported(`canon ${refused}`, at);
    }
  }
}
