import { WhorlError } from '#contract/errors.js';

/** Tar's blocks (POSIX.1-2024 pax, "ustar Interchange Format"; GNU tar's "Basic Tar Format" for `L`). */
export const BLOCK_BYTES = 512;

export interface TarHeader {
  /** As written, prefix joined. */
  name: string;
  bytes: number;
  /** One character: `0` file, `5` folder, `x` pax, `L` GNU long name, … */
  type: string;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

const invalid = (message: string) => new WhorlError('BUNDLE_ARCHIVE_INVALID', message);

/** Parses one header block. Undefined for a block of zeros. Throws BUNDLE_ARCHIVE_INVALID. */
export function parseTarHeader(block: Uint8Array, offset: number): TarHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  const magic = latin1(block, 257, 5);
  if (magic !== 'ustar') throw invalid(`no tar header at byte ${offset} of the unpacked archive (expected a POSIX or GNU tar)`);
  const stated = octal(block, 148, 8);
  let sum = 0;
  for (let i = 0; i < BLOCK_BYTES; i++) sum += i >= 148 && i < 156 ? 32 : block[i]!;
  if (stated !== sum) throw invalid(`the checksum of the tar header at byte ${offset} of the unpacked archive is wrong: the archive is damaged`);
  const bytes = octal(block, 124, 12);
  if (bytes === undefined) throw invalid(`the tar header at byte ${offset} of the unpacked archive holds no valid size`);
  // GNU's format ("ustar  ") has times where POSIX has the prefix.
  const prefix = block[262] === 32 ? '' : text(block, 345, 155);
  const name = text(block, 0, 100);
  const type = block[156] === 0 ? '0' : latin1(block, 156, 1);
  return { name: prefix === '' ? name : `${prefix}/${name}`, bytes, type };
}

/** Parses the records of a pax header: `<length> <key>=<value>\n`. Throws BUNDLE_ARCHIVE_INVALID. */
export function parsePax(data: Uint8Array): Map<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < data.length) {
    const space = data.indexOf(32, at);
    const length = space < 0 ? NaN : Number(latin1(data, at, space - at));
    const end = at + length;
    if (!Number.isInteger(length) || length <= space - at + 1 || end > data.length || data[end - 1] !== 10) throw invalid('a pax header is malformed');
    const record = decode(data.subarray(space + 1, end - 1));
    const equals = record.indexOf('=');
    if (equals < 1) throw invalid('a pax header is malformed');
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at = end;
  }
  return records;
}

/** Decodes a name; names that are not UTF-8 are refused. */
export function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new WhorlError('BUNDLE_ENTRY_REFUSED', `the name of entry ${JSON.stringify(Buffer.from(bytes).toString('latin1'))} is not UTF-8`, { cause });
  }
}

/** A field that ends at its first NUL. */
export function text(block: Uint8Array, from: number, bytes: number): string {
  const field = block.subarray(from, from + bytes);
  const end = field.indexOf(0);
  return decode(end < 0 ? field : field.subarray(0, end));
}

function latin1(block: Uint8Array, from: number, bytes: number): string {
  return Buffer.from(block.buffer, block.byteOffset + from, bytes).toString('latin1');
}

/** Octal digits, blanks or NULs around them; undefined for anything else, base-256 included (only sizes over 8 GiB need it). */
function octal(block: Uint8Array, from: number, bytes: number): number | undefined {
  // oxlint-disable-next-line no-control-regex -- NUL ends the field
  const match = /^ *([0-7]+)[ \u0000]*$/.exec(latin1(block, from, bytes));
  return match ? parseInt(match[1]!, 8) : undefined;
}
