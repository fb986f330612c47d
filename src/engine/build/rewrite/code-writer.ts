import type { Body, CodeScan } from './code-scan.js';
import { ByteWriter } from './byte-writer.js';
import { CardMarks, ScratchLocals } from './card-marks.js';
import { Edit } from './code-edits.js';

/** What is put into code, by index of what the rewriter appended. */
export interface CodeAdditions {
  /** The bytes of the deadline check. */
  check: Uint8Array;
  /** Index of the card memory; null: no stores are marked. */
  cardMemory: number | null;
}

/** The new contents of a code section: the same instructions with the edits of the scan. */
export function writeCode(bytes: Uint8Array, { bodies, edits }: CodeScan, { check, cardMemory }: CodeAdditions): Uint8Array {
  const last = bodies.at(-1);
  const out = new ByteWriter(last ? Math.ceil((last.to - bodies[0]!.from) * 1.6) + 1024 : 16);
  const marks = cardMemory === null ? null : new CardMarks(out, cardMemory);
  out.u32(bodies.length);

  const writeBody = (body: Body, lastEdit: number): void => {
    const scratch = marks && ScratchLocals.of(edits, body, lastEdit);
    let done = body.from;
    if (scratch && scratch.groups.length > 0) {
      out.u32(body.localGroups + scratch.groups.length / 2);
      out.copy(bytes, body.localsFrom, body.codeFrom);
      out.putAll(scratch.groups);
      done = body.codeFrom;
    }
    for (let e = body.firstEdit; e < lastEdit; e++) {
      const kind = edits.kind(e);
      if (kind !== Edit.Check && !(scratch && kind !== Edit.None)) continue;
      const at = edits.at(e);
      out.copy(bytes, done, at);
      done = at;
      if (kind === Edit.Check) out.putAll(check);
      else done += marks!.write(edits, e, scratch!);
    }
    out.copy(bytes, done, body.to);
  };

  bodies.forEach((body, i) => {
    out.sized(() => writeBody(body, bodies[i + 1]?.firstEdit ?? edits.length));
  });
  return out.finish();
}
