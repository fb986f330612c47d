import { RewriteError } from '#engine/build/build-error.js';
import type { Section } from '#engine/build/core/core-module.js';
import { Reader } from '#engine/build/decode/reader.js';
import { BodyScanner } from './body-scanner.js';
import { u32, u32Length } from './encode.js';

interface Body {
  from: number;
  to: number;
  /** Its checks are those from `firstCheck` up to the next body's. */
  firstCheck: number;
}

function skipLocals(reader: Reader): void {
  for (let groups = reader.u32(); groups > 0; groups--) {
    reader.u32();
    const type = reader.byte();
    if (type !== 0x63 && type !== 0x64) continue;
    while (reader.byte() & 0x80);
  }
}

/** The contents of the code section with `check` put in at every function entry, loop head and bulk operation. */
export function meterCode(bytes: Uint8Array, section: Section, importedFuncs: number, check: Uint8Array): Uint8Array {
  const reader = new Reader(bytes, section.from, section.to);
  const scanner = new BodyScanner(bytes);
  const count = reader.count();
  const bodies: Body[] = [];
  let length = u32Length(count);
  for (let i = 0; i < count; i++) {
    const body = reader.sub(reader.u32());
    const from = body.pos;
    const firstCheck = scanner.checks.length;
    skipLocals(body);
    scanner.scan(importedFuncs + i, body.pos, body.end);
    bodies.push({ from, to: body.end, firstCheck });
    const size = body.end - from + (scanner.checks.length - firstCheck) * check.length;
    length += u32Length(size) + size;
  }
  if (!reader.done) throw new RewriteError('malformed', 'the code section has bytes left over');

  const out = new Uint8Array(length);
  let at = 0;
  const put = (part: ArrayLike<number>) => {
    out.set(part, at);
    at += part.length;
  };
  put(u32(count));
  bodies.forEach((body, i) => {
    const lastCheck = bodies[i + 1]?.firstCheck ?? scanner.checks.length;
    put(u32(body.to - body.from + (lastCheck - body.firstCheck) * check.length));
    let done = body.from;
    for (let c = body.firstCheck; c < lastCheck; c++) {
      const point = scanner.checks.at(c);
      put(bytes.subarray(done, point));
      put(check);
      done = point;
    }
    put(bytes.subarray(done, body.to));
  });
  return out;
}
