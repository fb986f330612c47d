// A bundle: tar.gz with spin.toml at its root. The same files give the same bytes (order, owners and times are fixed).
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

const BLOCK = 512;

/** Writes `files` (paths relative to `dir`, none longer than 100 bytes) to `out`. */
export function writeBundle(dir, files, out) {
  const blocks = [...files].sort().flatMap((path) => {
    const content = readFileSync(join(dir, path));
    return [header(path, content.length), content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)];
  });
  writeWhole(out, gzipSync(Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)])));
}

/** POSIX.1-1988 ustar, the fields a reader needs. */
function header(path, size) {
  const block = Buffer.alloc(BLOCK);
  if (Buffer.byteLength(path) > 100) throw new Error(`${path}: too long for a plain tar header`);
  const octal = (value, digits) => `${value.toString(8).padStart(digits, '0')}\0`;
  block.write(path, 0);
  block.write(octal(0o644, 7) + octal(0, 7) + octal(0, 7) + octal(size, 11) + octal(0, 11), 100, 'latin1');
  block.write('        0', 148, 'latin1');
  block.write('ustar\u000000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** A reader never sees half a file. */
export function writeWhole(path, bytes) {
  const fresh = `${path}.${process.pid}.tmp`;
  writeFileSync(fresh, bytes);
  renameSync(fresh, path);
}

/**
 * Runs `build` when `inputs` (absolute paths, and texts that matter) differ from the last time, or one of `outputs` is missing.
 * Returns whether it ran.
 */
export async function whenChanged(stamp, { inputs, texts = [], outputs }, build) {
  const hash = createHash('sha256').update(JSON.stringify(texts));
  for (const path of inputs) hash.update(`\0${path.split('/').at(-1)}\0`).update(readFileSync(path));
  const now = hash.digest('hex');
  if (outputs.every(existsSync) && existsSync(stamp) && readFileSync(stamp, 'utf8') === now) return false;
  await build();
  mkdirSync(dirname(stamp), { recursive: true });
  writeWhole(stamp, now);
  return true;
}
