/** A longer line is cut into several. */
export const MAX_LINE_BYTES = 8 * 1024;

/**
 * Cuts what a guest writes into lines of UTF-8 text. A line ends at a newline (a carriage return before it is dropped), at
 * `MAX_LINE_BYTES`, or at the end of the invocation. Damaged UTF-8 becomes replacement characters.
 */
export class LineCutter {
  private rest: Buffer = Buffer.alloc(0);

  constructor(private readonly emit: (line: string) => void, private readonly maxLineBytes = MAX_LINE_BYTES) {}

  write(bytes: Uint8Array): void {
    let data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (this.rest.length > 0) data = Buffer.concat([this.rest, data]);
    let from = 0;
    for (;;) {
      const newline = data.indexOf(10, from);
      const end = newline < 0 ? data.length : newline;
      if (end - from > this.maxLineBytes) {
        const cut = characterStart(data, from + this.maxLineBytes, from);
        this.emit(data.toString('utf8', from, cut));
        from = cut;
        continue;
      }
      if (newline < 0) break;
      const last = newline > from && data[newline - 1] === 13 ? newline - 1 : newline;
      this.emit(data.toString('utf8', from, last));
      from = newline + 1;
    }
    // A copy: the guest's bytes are only lent.
    this.rest = Buffer.from(data.subarray(from));
  }

  /** Hands out a last line that has no newline. */
  end(): void {
    if (this.rest.length > 0) this.emit(this.rest.toString('utf8'));
    this.rest = Buffer.alloc(0);
  }
}

/** The last place at or before `at`, and behind `from`, where a UTF-8 character begins. */
function characterStart(data: Buffer, at: number, from: number): number {
  for (let i = at; i > from && i > at - 4; i--) if ((data[i]! & 0xc0) !== 0x80) return i;
  return at;
}
