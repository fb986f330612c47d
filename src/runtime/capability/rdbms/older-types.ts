/** Types of `fermyon:spin/rdbms-types` and `spin:postgres@3.0.0`: an enum of data types, and values that they have no type for. */
const BASE = ['boolean', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64', 'floating32', 'floating64', 'str', 'binary'];

/** What an older interface can say. */
export class OlderTypes {
  private readonly known: ReadonlySet<string>;

  constructor(more: readonly string[] = []) {
    this.known = new Set([...BASE, ...more]);
  }

  /** Case of the enum `db-data-type`. */
  dataType(tag: string): string {
    return this.known.has(tag) ? tag : 'other';
  }

  /** A `db-value`: what the interface has no type for is said to be there, but not given. */
  value<V extends { tag: string }>(value: V): V | { tag: string; val: undefined } {
    return this.known.has(value.tag) || value.tag === 'db-null' ? value : { tag: 'unsupported', val: undefined };
  }
}
