import { WhorlError } from '#contract/errors.js';
import { ByteSource } from './byte-source.js';
import { checkEntryPath, quotePath } from './entry-path.js';
import type { BundleLimits } from './limits.js';
import { BLOCK_BYTES, parsePax, parseTarHeader, text } from './tar-header.js';

export interface TarEntry {
  kind: 'file' | 'folder';
  /** Normalised: relative, no `.`, no `..`. '' is the root. */
  path: string;
  bytes: number;
  /** The file's bytes; what is not read is skipped. */
  content: AsyncIterable<Uint8Array>;
}

/** Long names only: a pax header with more is not what a bundle needs. */
const META_MAX_BYTES = 64 * 1024;

const REFUSED_TYPES: Record<string, string> = {
  1: 'a hard link', 2: 'a symbolic link', 3: 'a character device', 4: 'a block device', 6: 'a fifo', 7: 'a contiguous file', K: 'a link', S: 'a sparse file', D: 'a GNU folder dump', M: 'a part of a multi-volume archive', V: 'a volume label',
};

/**
 * Reads a tar archive entry by entry: regular files and folders; ustar, pax (`path` and `size`) and GNU long names. Everything else is
 * refused by the entry's name (BUNDLE_ENTRY_REFUSED), as are paths that leave the root, two entries with one path, and what is over
 * the limits (BUNDLE_TOO_LARGE). A damaged archive is BUNDLE_ARCHIVE_INVALID, one that ends early BUNDLE_TRUNCATED.
 */
export async function* readTar(source: AsyncIterable<Uint8Array>, limits: BundleLimits): AsyncGenerator<TarEntry> {
  const bytes = new ByteSource(source);
  const paths = new PathSet();
  let count = 0;
  let totalBytes = 0;
  let next: { path?: string; bytes?: number } = {};
  for (;;) {
    const header = parseTarHeader(await block(bytes), bytes.offset - BLOCK_BYTES);
    if (!header) break;
    if (header.type === 'x' || header.type === 'g') {
      const pax = readPaxKeys(parsePax(await meta(bytes, header.bytes)), header.type);
      if (header.type === 'x') next = { ...next, ...pax };
      continue;
    }
    if (header.type === 'L') {
      const name = await meta(bytes, header.bytes);
      next = { ...next, path: text(name, 0, name.length) };
      continue;
    }
    const name = next.path ?? header.name;
    const size = next.bytes ?? header.bytes;
    next = {};
    const refuse = (why: string) => new WhorlError('BUNDLE_ENTRY_REFUSED', `entry ${quotePath(name)}: ${why}`, { fields: { [name.slice(0, 200)]: [why] } });
    const kind = header.type === '0' ? 'file' : header.type === '5' ? 'folder' : undefined;
    if (!kind) throw refuse(`it is ${REFUSED_TYPES[header.type] ?? `of the unknown type ${JSON.stringify(header.type)}`}; only regular files and folders are taken`);
    const checked = checkEntryPath(name, limits.pathBytes);
    if ('refused' in checked) throw refuse(checked.refused);
    if (kind === 'file' && (checked.path === '' || name.endsWith('/'))) throw refuse('it is a file with the name of a folder');
    if (kind === 'folder' && size !== 0) throw refuse('it is a folder with content');
    const clash = paths.add(checked.path, kind);
    if (clash) throw refuse(clash);
    if (++count > limits.entries) throw new WhorlError('BUNDLE_TOO_LARGE', `the bundle holds more than ${limits.entries} entries; the first too many is ${quotePath(name)}`);
    if (size > limits.fileBytes) throw new WhorlError('BUNDLE_TOO_LARGE', `entry ${quotePath(name)} has ${size} bytes, more than the ${limits.fileBytes} that one file may have`);
    totalBytes += size;
    if (totalBytes > limits.unpackedBytes) throw new WhorlError('BUNDLE_TOO_LARGE', `the files up to ${quotePath(name)} have ${totalBytes} bytes, more than the ${limits.unpackedBytes} that a bundle may unpack to`);
    const body = new Body(bytes, size, name);
    yield { kind, path: checked.path, bytes: size, content: body.chunks() };
    await body.finish();
  }
  await expectEnd(bytes);
}

/** One file's bytes and the padding after them. */
class Body {
  private missing: number;

  constructor(private readonly source: ByteSource, private readonly bytes: number, private readonly name: string) {
    this.missing = bytes;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    while (this.missing > 0) {
      const chunk = await this.source.some(this.missing);
      if (!chunk) throw new WhorlError('BUNDLE_TRUNCATED', `the archive ends inside entry ${quotePath(this.name)}: ${this.missing} of its ${this.bytes} bytes are missing`);
      this.missing -= chunk.length;
      yield chunk;
    }
  }

  async finish(): Promise<void> {
    for await (const chunk of this.chunks()) void chunk;
    await skipPadding(this.source, this.bytes);
  }
}

/** Paths so far, so that nothing is there twice and no file is a folder of another. Folders may be named again. */
class PathSet {
  private readonly kinds = new Map<string, 'file' | 'folder'>([['', 'folder']]);

  /** Why the path is refused; undefined when it was added. */
  add(path: string, kind: 'file' | 'folder'): string | undefined {
    const known = this.kinds.get(path);
    if (known === 'file' && kind === 'file') return 'it is in the bundle twice';
    if (known && known !== kind) return 'it is a file and a folder at once';
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const parent = path.slice(0, slash);
      const kindOfParent = this.kinds.get(parent);
      if (kindOfParent === 'file') return `it lies below ${quotePath(parent)}, which is a file`;
      if (kindOfParent === 'folder') break;
      this.kinds.set(parent, 'folder');
    }
    this.kinds.set(path, kind);
    return undefined;
  }
}

async function block(source: ByteSource): Promise<Uint8Array> {
  const bytes = await source.exactly(BLOCK_BYTES);
  if (bytes.length < BLOCK_BYTES) throw new WhorlError('BUNDLE_TRUNCATED', `the archive ends after ${source.offset} unpacked bytes, without the end mark of a tar`);
  return bytes;
}

async function skipPadding(source: ByteSource, bytes: number): Promise<void> {
  const padding = (BLOCK_BYTES - (bytes % BLOCK_BYTES)) % BLOCK_BYTES;
  if ((await source.exactly(padding)).length < padding) throw new WhorlError('BUNDLE_TRUNCATED', `the archive ends after ${source.offset} unpacked bytes, without the end mark of a tar`);
}

async function meta(source: ByteSource, bytes: number): Promise<Uint8Array> {
  if (bytes > META_MAX_BYTES) throw new WhorlError('BUNDLE_ENTRY_REFUSED', `a header with an entry's name has ${bytes} bytes, more than the ${META_MAX_BYTES} allowed`);
  const data = await source.exactly(bytes);
  if (data.length < bytes) throw new WhorlError('BUNDLE_TRUNCATED', 'the archive ends inside a header');
  await skipPadding(source, bytes);
  return data;
}

/** Takes `path` and `size`; other keys (times, attributes, comments) mean nothing here. */
function readPaxKeys(pax: Map<string, string>, type: 'x' | 'g'): { path?: string; bytes?: number } {
  const path = pax.get('path');
  const size = pax.get('size');
  if (type === 'g' && (path !== undefined || size !== undefined)) throw new WhorlError('BUNDLE_ENTRY_REFUSED', 'a global pax header sets the path or size of every entry');
  const sparse = [...pax.keys()].find((key) => key.startsWith('GNU.sparse'));
  if (sparse) throw new WhorlError('BUNDLE_ENTRY_REFUSED', `entry ${quotePath(pax.get('GNU.sparse.name') ?? path ?? '?')}: it is a sparse file; only regular files and folders are taken`);
  if (size !== undefined && !/^\d{1,15}$/.test(size)) throw new WhorlError('BUNDLE_ARCHIVE_INVALID', `a pax header holds the size ${JSON.stringify(size)}`);
  return { ...(path !== undefined && { path }), ...(size !== undefined && { bytes: Number(size) }) };
}

/** The end mark is two blocks of zeros, and zeros up to the record's size may follow; anything else is no part of the archive. */
async function expectEnd(source: ByteSource): Promise<void> {
  const second = await source.exactly(BLOCK_BYTES);
  if (second.length < BLOCK_BYTES) throw new WhorlError('BUNDLE_TRUNCATED', 'the archive ends inside the end mark of the tar');
  for (let chunk: Uint8Array | undefined = second; chunk; chunk = await source.some(64 * 1024)) {
    if (chunk.some((byte) => byte !== 0)) throw new WhorlError('BUNDLE_ARCHIVE_INVALID', 'there are bytes after the end of the tar archive');
  }
}
