import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { checkEntryPath } from './entry-path.js';
import { DEFAULT_BUNDLE_LIMITS } from './limits.js';
import { BLOCK_BYTES } from './tar-header.js';

export interface PackEntry {
  /** Relative to the bundle's root, `/` between segments. */
  path: string;
  content: Uint8Array;
}

/**
 * Packs files into a tar.gz. The same files give the same bytes, whatever their order: sorted by path, no times, no owners. Throws an
 * Error for a path that unpacking would refuse, or one that is there twice.
 */
export async function packBundle(entries: Iterable<PackEntry>): Promise<Buffer> {
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const blocks: Uint8Array[] = [];
  let previous: string | undefined;
  for (const { path, content } of sorted) {
    const checked = checkEntryPath(path, DEFAULT_BUNDLE_LIMITS.pathBytes);
    if ('refused' in checked) throw new Error(`cannot pack ${JSON.stringify(path)}: ${checked.refused}`);
    if (checked.path !== path) throw new Error(`cannot pack ${JSON.stringify(path)}: write it as ${JSON.stringify(checked.path)}`);
    if (path === previous) throw new Error(`cannot pack ${JSON.stringify(path)}: it is there twice`);
    previous = path;
    blocks.push(...entry(path, content));
  }
  blocks.push(new Uint8Array(2 * BLOCK_BYTES));
  const packed = await promisify(gzip)(Buffer.concat(blocks), { level: 6 });
  // The byte that names the operating system (RFC 1952) differs between machines: 255 is "unknown".
  packed[9] = 255;
  return packed;
}

function* entry(path: string, content: Uint8Array): Generator<Uint8Array> {
  // A ustar name has 100 bytes and says nothing of its encoding; pax's is UTF-8 of any length.
  if (Buffer.byteLength(path) > 100 || /[^\x20-\x7e]/.test(path)) {
    const record = paxRecord('path', path);
    yield header('pax', 'x', record.length);
    yield* padded(record);
    yield header('long-name', '0', content.length);
  } else {
    yield header(path, '0', content.length);
  }
  yield* padded(content);
}

function header(name: string, type: string, bytes: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, width: number) => `${value.toString(8).padStart(width - 1, '0')}\0`;
  block.write(name, 0, 'utf8');
  block.write(octal(0o644, 8), 100);
  block.write(octal(0, 8), 108);
  block.write(octal(0, 8), 116);
  block.write(octal(bytes, 12), 124);
  block.write(octal(0, 12), 136);
  block.write(' '.repeat(8), 148);
  block.write(type, 156);
  block.write('ustar\x0000', 257);
  block.write(`${octal(block.reduce((sum, byte) => sum + byte, 0), 7)} `, 148);
  return block;
}

/** The length counts itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest);
  for (let digits = 1; ; digits++) {
    if (String(length + digits).length === digits) {
      length += digits;
      break;
    }
  }
  return Buffer.from(`${length}${rest}`);
}

function* padded(content: Uint8Array): Generator<Uint8Array> {
  yield content;
  const padding = (BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES;
  if (padding > 0) yield new Uint8Array(padding);
}
