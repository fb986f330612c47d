/**
 * Some names of header fields, in lower case. Most names that are asked for are no part of it, and their length tells that already: to
 * look a text up that came from the network, its hash must be computed.
 */
export class FieldNames {
  private readonly names: ReadonlySet<string>;
  /** A bit for each length, of those below 32. */
  private readonly lengths: number;

  /** @param names shorter than 32 characters */
  constructor(names: readonly string[]) {
    this.names = new Set(names);
    this.lengths = names.reduce((bits, { length }) => bits | (1 << length), 0);
  }

  has(lowerName: string): boolean {
    const { length } = lowerName;
    return length < 32 && (this.lengths & (1 << length)) !== 0 && this.names.has(lowerName);
  }
}
