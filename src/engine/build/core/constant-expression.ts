import { hex, type Reader } from '#engine/build/decode/reader.js';

/** Constants: opcode to the length of the immediate, null for a LEB128 number. */
const IMMEDIATES: Record<number, number | null> = {
  0x23: null, // global.get
  0x41: null, 0x42: null, 0x43: 4, 0x44: 8, // i32.const, i64.const, f32.const, f64.const
  0xd0: null, 0xd2: null, // ref.null, ref.func
  0x6a: 0, 0x6b: 0, 0x6c: 0, 0x7c: 0, 0x7d: 0, 0x7e: 0, // add, sub and mul of both integers
};
const V128_CONST = 0x0c;

function skipLeb(reader: Reader): void {
  let byte = reader.byte();
  while (byte >= 0x80) byte = reader.byte();
}

/** Conversions between references (ref.i31 and those of externref); what makes objects is refused with its types. */
const REFERENCE_CONVERSIONS = new Set([0x1a, 0x1b, 0x1c]);

/** Reads past a constant expression of a valid module (WebAssembly Core, 3.3.10), its `end` too. */
export function skipConstantExpression(reader: Reader): void {
  for (let opcode = reader.byte(); opcode !== 0x0b; opcode = reader.byte()) {
    const at = reader.pos - 1;
    const length = IMMEDIATES[opcode];
    if (length === null) skipLeb(reader);
    else if (length !== undefined) reader.take(length);
    else if (opcode === 0xfd && reader.u32() === V128_CONST) reader.take(16);
    else if (opcode !== 0xfb || !REFERENCE_CONVERSIONS.has(reader.u32())) reader.unsupported(`the constant instruction ${hex(opcode)}`, at);
  }
}
