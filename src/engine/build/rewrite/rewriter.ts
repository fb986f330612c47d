import {
  cardMemoryPages, CARDS_IMPORT, CLOCK_IMPORT, DEADLINE_EXPORT, GLOBAL_EXPORT, MEMORY_IMPORT, START_EXPORT, WHORL_MODULE, type PlanModule,
} from '#engine/plan.js';
import { RewriteError } from '#engine/build/build-error.js';
import type { CoreModule, Section } from '#engine/build/core/core-module.js';
import { Reader } from '#engine/build/decode/reader.js';
import { type CodeScan, scanCode } from './code-scan.js';
import { writeCode } from './code-writer.js';
import * as encode from './encode.js';
import { proveReset } from './reset-proof.js';

export interface RewriteOptions {
  /** Hard maximum of the module's own memory, in pages of 64 KiB. */
  memoryCapPages: number;
  /** Mark stores in cards, where that can be done. */
  cards: boolean;
}

/** The rewritten bytes and what the plan says of them. */
export type RewrittenModule = { bytes: Uint8Array } & Omit<PlanModule, 'digest' | 'bytes'>;

/** Where sections stand in a module, by id: tags (13) come behind memories, the data count (12) before code. */
const SECTION_ORDER = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];
const MEMORY32_PAGES = 65_536;
/** Entries of all tables of one module: they lie outside the linear memory, so they need a bound of their own. */
const MAX_TABLE_ENTRIES = 2 ** 20;
/** Custom sections that hold offsets into the code, which the checks make wrong. */
const STALE_CUSTOM = /^(?:metadata\.code\.|\.debug_|reloc\.|sourceMappingURL$|external_debug_info$)/;

/** New contents of sections by id; null: the section goes. */
type Changes = Map<number, Uint8Array[] | null>;

/** What is appended to a section that is a vector. */
interface Appended {
  count: number;
  bytes: number[];
}

function append(list: Appended, ...bytes: number[]): void {
  list.count++;
  list.bytes.push(...bytes);
}

class Rewriter {
  private readonly imports: Appended = { count: 0, bytes: [] };
  private readonly globals: Appended = { count: 0, bytes: [] };
  private readonly exports: Appended = { count: 0, bytes: [] };
  private readonly changes: Changes = new Map();

  constructor(private readonly module: CoreModule, private readonly scan: CodeScan | null, private readonly options: RewriteOptions) {}

  rewrite(): RewrittenModule {
    const { module } = this;
    this.refuseReservedNames();
    const reset = proveReset(module, this.scan);
    const cards = this.options.cards && reset.inPlace && reset.unmarked === undefined;
    const memory = this.moveMemory();
    const metered = this.editCode(cards);
    if (reset.inPlace) this.exportGlobals();
    const start = module.start !== null;
    if (module.start !== null) {
      append(this.exports, ...encode.name(START_EXPORT), 0, ...encode.u32(module.start));
      this.changes.set(8, null);
    }
    this.capTables();
    this.grow(2, this.imports);
    this.grow(6, this.globals);
    this.grow(7, this.exports);
    const bytes = this.assemble();
    if (WebAssembly.validate(bytes)) return { bytes, memory, metered, start, reset, cards };
    if (!cards) throw new RewriteError('unsupported', 'the module is at a limit of the engine that the deadline checks go beyond');
    return new Rewriter(module, this.scan, { ...this.options, cards: false }).rewrite();
  }

  /** Slots set them back when they reset the instance in place. */
  private exportGlobals(): void {
    this.module.ownGlobals.filter(({ mutable }) => mutable).forEach(({ index }, i) => {
      append(this.exports, ...encode.name(`${GLOBAL_EXPORT}${i}`), 3, ...encode.u32(index));
    });
  }

  /** A guest that reached these names could set its own deadline. It also makes a second rewriting impossible. Names of interfaces have a slash. */
  private refuseReservedNames(): void {
    const reserved = (name: string) => name === WHORL_MODULE || (name.startsWith(`${WHORL_MODULE}:`) && !name.includes('/'));
    for (const { module, name } of this.module.imports) {
      if (reserved(module)) throw new RewriteError('invalid', `the import ${JSON.stringify(module)} ${JSON.stringify(name)} uses a reserved name`);
    }
    for (const { name } of this.module.exports) {
      if (reserved(name)) throw new RewriteError('invalid', `the export ${JSON.stringify(name)} uses a reserved name`);
    }
  }

  /** Imported memories come before own ones, so the one own memory keeps its index when it becomes the last import. */
  private moveMemory(): RewrittenModule['memory'] {
    const { ownMemories } = this.module;
    const cap = this.options.memoryCapPages;
    if (ownMemories.length > 1) throw new RewriteError('unsupported', `${ownMemories.length} memories in one module are not supported`);
    const own = ownMemories[0];
    if (own === undefined) return null;
    if (own.min > cap) throw new RewriteError('limit', `the memory wants ${own.min} pages at the start, the limit is ${cap} pages`);
    const memory = { minPages: own.min, maxPages: Math.min(own.max ?? MEMORY32_PAGES, cap) };
    append(this.imports, ...encode.name(WHORL_MODULE), ...encode.name(MEMORY_IMPORT), 2, ...encode.limits(memory.minPages, memory.maxPages));
    this.changes.set(5, null);
    return memory;
  }

  /** The check is `if (clock >= deadline) unreachable`: no call, no local, and each index in it is behind all of the guest's. */
  private editCode(cards: boolean): boolean {
    const { module, scan } = this;
    if (scan === null) return false;
    const memories = module.importedMemories + module.ownMemories.length;
    const deadline = encode.u32(module.globals);
    append(this.imports, ...encode.name(WHORL_MODULE), ...encode.name(CLOCK_IMPORT), 2, ...encode.limits(1, 1, true));
    // i64.const 2^63-1: nothing is cut before a deadline is set
    append(this.globals, 0x7e, 0x01, 0x42, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x0b);
    append(this.exports, ...encode.name(DEADLINE_EXPORT), 3, ...deadline);
    const check = Uint8Array.from([
      0x41, 0x00, // i32.const 0
      0x29, 0x43, ...encode.u32(memories), 0x00, // i64.load (memory clock) align=8
      0x23, ...deadline, // global.get deadline
      0x5a, // i64.ge_u
      0x04, 0x40, 0x00, 0x0b, // if unreachable end
    ]);
    const marks = cards && memories === 1;
    if (marks) append(this.imports, ...encode.name(WHORL_MODULE), ...encode.name(CARDS_IMPORT), 2, ...encode.limits(1, cardMemoryPages(MEMORY32_PAGES)));
    this.changes.set(10, [writeCode(module.bytes, scan, { check, cardMemory: marks ? memories + 1 : null })]);
    return true;
  }

  private capTables(): void {
    const { bytes, ownTables, sections } = this.module;
    const section = sections.find(({ id }) => id === 4);
    if (section === undefined || ownTables.length === 0) return;
    const entries = ownTables.reduce((sum, { min }) => sum + min, 0);
    if (entries > MAX_TABLE_ENTRIES) throw new RewriteError('limit', `the tables want ${entries} entries, the limit is ${MAX_TABLE_ENTRIES}`);
    const share = Math.floor((MAX_TABLE_ENTRIES - entries) / ownTables.length);
    const parts: Uint8Array[] = [];
    let done = section.from;
    for (const { min, max, limitsFrom, limitsTo } of ownTables) {
      parts.push(bytes.subarray(done, limitsFrom), Uint8Array.from(encode.limits(min, Math.min(max ?? Infinity, min + share))));
      done = limitsTo;
    }
    parts.push(bytes.subarray(done, section.to));
    this.changes.set(4, parts);
  }

  private grow(id: number, appended: Appended): void {
    if (appended.count === 0) return;
    const section = this.module.sections.find((candidate) => candidate.id === id);
    if (section === undefined) {
      this.changes.set(id, [Uint8Array.from(encode.u32(appended.count)), Uint8Array.from(appended.bytes)]);
      return;
    }
    const reader = new Reader(this.module.bytes, section.from, section.to);
    const count = reader.u32() + appended.count;
    this.changes.set(id, [Uint8Array.from(encode.u32(count)), this.module.bytes.subarray(reader.pos, section.to), Uint8Array.from(appended.bytes)]);
  }

  private assemble(): Uint8Array<ArrayBuffer> {
    const { bytes, sections } = this.module;
    const missing = SECTION_ORDER.filter((id) => this.changes.get(id) && !sections.some((section) => section.id === id));
    const parts: Uint8Array[] = [bytes.subarray(0, 8)];
    const putMissingBefore = (order: number) => {
      while (missing.length > 0 && SECTION_ORDER.indexOf(missing[0]!) < order) this.putChanged(parts, missing.shift()!);
    };
    for (const section of sections) {
      if (section.id === 0) {
        if (!this.isStale(section)) parts.push(bytes.subarray(section.start, section.to));
        continue;
      }
      putMissingBefore(SECTION_ORDER.indexOf(section.id));
      if (this.changes.has(section.id)) this.putChanged(parts, section.id);
      else parts.push(bytes.subarray(section.start, section.to));
    }
    putMissingBefore(SECTION_ORDER.length);
    return concat(parts);
  }

  private putChanged(parts: Uint8Array[], id: number): void {
    const contents = this.changes.get(id);
    if (contents) for (const part of encode.section(id, contents)) parts.push(part);
  }

  private isStale(section: Section): boolean {
    return STALE_CUSTOM.test(new Reader(this.module.bytes, section.from, section.to).name());
  }
}

function concat(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/**
 * Rewrites a core module for the slots. It only appends, so no index of the guest's moves:
 *
 * - its one own memory becomes the import `whorl`/`memory` with a hard maximum;
 * - `if (clock >= deadline) unreachable` goes to function entries, loop heads and bulk operations; the clock is the memory
 *   `whorl`/`clock` behind its own, the deadline the last global, exported as `whorl:deadline`;
 * - with `cards`, stores also mark where they write in the memory `whorl`/`cards`, and `memory.size` and `memory.grow` work on the size that
 *   is kept there (card-marks.ts);
 * - the start function becomes the export `whorl:start`, so that a deadline can be set before it runs;
 * - its own mutable globals are exported as `whorl:global:<n>` when it can be reset in place;
 * - tables get a maximum.
 *
 * The same module and options always give the same bytes. `scan` is `scanCode(module)`. Throws `RewriteError`.
 */
export function rewriteModule(module: CoreModule, options: RewriteOptions, scan: CodeScan | null = scanCode(module)): RewrittenModule {
  return new Rewriter(module, scan, options).rewrite();
}
