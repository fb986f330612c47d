/** What the messages of a server are cut for. */
export interface FrameReceiver {
  /** A DataRow; the fields are views that are gone after the call. */
  row(fields: (Buffer | null)[]): void;
  /** Whole messages of other kinds. */
  messages(bytes: Buffer): void;
}

const DATA_ROW = 0x44;
const HEADER_BYTES = 5;

/** The server sent what the protocol does not have, or more than is taken. */
export class BadFrame extends Error {
  override name = 'BadFrame';
}

/**
 * Cuts what a PostgreSQL server sends into messages (PostgreSQL, 54.1 "Message Flow"): one byte for the kind, then the length with itself. Rows are
 * taken out as bytes, since the client library knows them as text only.
 */
export class Frames {
  private parts: Buffer[] = [];
  private partBytes = 0;
  private neededBytes = HEADER_BYTES;

  constructor(private readonly receiver: FrameReceiver, private readonly maxBytes: number) {}

  /** Throws BadFrame. */
  push(chunk: Buffer): void {
    let bytes = chunk;
    if (this.partBytes > 0) {
      this.parts.push(chunk);
      this.partBytes += chunk.length;
      if (this.partBytes < this.neededBytes) return;
      bytes = Buffer.concat(this.parts, this.partBytes);
    }
    this.keep(bytes.subarray(this.cut(bytes)));
  }

  /** Hands out every whole message; gives where the first that is not whole begins. */
  private cut(bytes: Buffer): number {
    let at = 0;
    let others = 0;
    while (bytes.length - at >= HEADER_BYTES) {
      const end = at + this.lengthAt(bytes, at);
      if (end > bytes.length) break;
      if (bytes[at] === DATA_ROW) {
        if (others < at) this.receiver.messages(bytes.subarray(others, at));
        this.receiver.row(fieldsOf(bytes.subarray(at + HEADER_BYTES, end)));
        others = end;
      }
      at = end;
    }
    if (others < at) this.receiver.messages(bytes.subarray(others, at));
    return at;
  }

  private keep(rest: Buffer): void {
    this.parts = rest.length > 0 ? [rest] : [];
    this.partBytes = rest.length;
    this.neededBytes = rest.length >= HEADER_BYTES ? this.lengthAt(rest, 0) : HEADER_BYTES;
  }

  private lengthAt(bytes: Buffer, at: number): number {
    const length = bytes.readUInt32BE(at + 1);
    if (length < 4) throw new BadFrame('the server sent a message with a bad length');
    if (length > this.maxBytes) throw new BadFrame(`query result exceeds limit of ${this.maxBytes} bytes`);
    return 1 + length;
  }
}

/** A count, then each value behind its length; -1 is null. */
function fieldsOf(bytes: Buffer): (Buffer | null)[] {
  try {
    const fields: (Buffer | null)[] = [];
    const count = bytes.readInt16BE(0);
    for (let at = 2; fields.length < count;) {
      const length = bytes.readInt32BE(at);
      at += 4;
      if (length > bytes.length - at) throw new RangeError('a field is longer than its row');
      fields.push(length < 0 ? null : bytes.subarray(at, at + length));
      at += Math.max(0, length);
    }
    return fields;
  } catch (cause) {
    throw new BadFrame('the server sent a row that cannot be read', { cause });
  }
}
