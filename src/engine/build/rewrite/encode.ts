/** Writers of the WebAssembly binary format. */
export function u32(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return bytes;
}

/** The immediate of `i32.const`; numbers from 2^31 up stand for the negative one of the same bits. */
export function i32(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value | 0; ; rest >>= 7) {
    const low = rest & 0x7f;
    if ((rest >> 6 === 0) || (rest >> 6 === -1)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

export function u32Length(value: number): number {
  return value < 2 ** 7 ? 1 : value < 2 ** 14 ? 2 : value < 2 ** 21 ? 3 : value < 2 ** 28 ? 4 : 5;
}

export function name(text: string): number[] {
  const bytes = Buffer.from(text, 'utf8');
  return [...u32(bytes.length), ...bytes];
}

/** Limits with a maximum. */
export function limits(min: number, max: number, shared = false): number[] {
  return [shared ? 0x03 : 0x01, ...u32(min), ...u32(max)];
}

export function section(id: number, chunks: Uint8Array[]): Uint8Array[] {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  return [Uint8Array.from([id, ...u32(length)]), ...chunks];
}
