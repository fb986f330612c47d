import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { WhorlError } from '#contract/errors.js';
import { Random } from '../../../test/fixtures/random.js';
import { type RawEntry, pax, rawHeader, rawTar, rawTarGz } from '../../../test/fixtures/raw-tar.js';
import { type BundleLimits, DEFAULT_BUNDLE_LIMITS } from './limits.js';
import { packBundle } from './pack.js';
import { contentPath, unpackBundle } from './unpack.js';

let root: string;
let target: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'whorl-unpack-'));
  target = join(root, 'out');
});
afterEach(() => rm(root, { recursive: true, force: true }));

const manifest: RawEntry = { name: 'spin.toml', content: 'spin_manifest_version = 2\n' };

async function* inChunks(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
const unpack = (bytes: Uint8Array, limits: Partial<BundleLimits> = {}, chunk?: number) => unpackBundle(inChunks(bytes, chunk), target, { ...DEFAULT_BUNDLE_LIMITS, ...limits });

async function refusal(bytes: Uint8Array, limits?: Partial<BundleLimits>): Promise<WhorlError> {
  const error = await unpack(bytes, limits).then(() => undefined, (reason: unknown) => reason);
  expect(error).toBeInstanceOf(WhorlError);
  expect(existsSync(target)).toBe(false);
  return error as WhorlError;
}

describe(unpackBundle.name, () => {
  it('gives every file with its digest, and the digest of the bytes as sent', async () => {
    const sent = rawTarGz([manifest, { name: 'assets/', type: '5' }, { name: 'assets/a.txt', content: 'hello' }, { name: 'empty' }]);
    for (const chunk of [1, 7, 512, 100_000]) {
      const bundle = await unpack(sent, {}, chunk);
      expect(bundle.digest).toBe(`sha256:${createHash('sha256').update(sent).digest('hex')}`);
      expect(bundle.bytes).toBe(sent.length);
      expect([...bundle.entries.keys()]).toEqual(['spin.toml', 'assets/a.txt', 'empty']);
      expect([...bundle.folders]).toEqual(['assets']);
      expect(await readFile(contentPath(target, bundle.entries.get('assets/a.txt')!.digest), 'utf8')).toBe('hello');
      expect(bundle.entries.get('empty')!.bytes).toBe(0);
      await rm(target, { recursive: true });
    }
  });

  it('writes large files as a stream and equal contents once', async () => {
    const content = Buffer.alloc(300_000, 'abcdefg');
    const bundle = await unpack(rawTarGz([manifest, { name: 'a', content }, { name: 'b', content }]));
    expect(await readFile(contentPath(target, bundle.entries.get('a')!.digest))).toEqual(content);
    expect(await readdir(target)).toHaveLength(2);
  });

  it('takes what the system\'s tar makes of a folder, with long names, in its formats', async () => {
    const long = `${'d'.repeat(90)}/${'e'.repeat(90)}/${'f'.repeat(90)}.txt`;
    const folder = join(root, 'app');
    await mkdir(join(folder, long, '..'), { recursive: true });
    await writeFile(join(folder, 'spin.toml'), 'x');
    await writeFile(join(folder, 'ümlaut.txt'), 'ü');
    await writeFile(join(folder, long), 'long');
    for (const format of ['gnu', 'pax', 'posix']) {
      const file = join(root, `${format}.tgz`);
      execFileSync('tar', ['-czf', file, `--format=${format}`, '-C', folder, '.']);
      const bundle = await unpack(await readFile(file));
      expect([...bundle.entries.keys()].sort()).toEqual([long, 'spin.toml', 'ümlaut.txt'].sort());
      await rm(target, { recursive: true });
    }
  });

  it('joins the prefix of a ustar name', async () => {
    expect((await unpack(rawTarGz([manifest, { name: 'b', prefix: 'a' }]))).entries.has('a/b')).toBe(true);
  });

  it('takes path and size of a pax header for the next entry alone, and ignores other keys', async () => {
    const bundle = await unpack(rawTarGz([
      pax({ comment: 'made by git' }, 'g'), pax({ path: 'x/long', size: '5', mtime: '1.5' }), { name: 'short', content: 'hello', bytes: 0 }, manifest,
    ]));
    expect(bundle.entries.get('x/long')!.bytes).toBe(5);
    expect(bundle.entries.has('spin.toml')).toBe(true);
  });

  it.each<[string, RawEntry, RegExp]>([
    ['a symbolic link', { name: 'l', type: '2', link: '/etc/passwd' }, /entry "l": it is a symbolic link/],
    ['a hard link', { name: 'l', type: '1', link: 'spin.toml' }, /a hard link/],
    ['a character device', { name: 'd', type: '3' }, /a character device/],
    ['a block device', { name: 'd', type: '4' }, /a block device/],
    ['a fifo', { name: 'f', type: '6' }, /a fifo/],
    ['a sparse file', { name: 's', type: 'S' }, /a sparse file/],
    ['an unknown type', { name: 'u', type: 'Z' }, /unknown type "Z"/],
    ['an absolute path', { name: '/etc/passwd' }, /entry "\/etc\/passwd": the path is absolute/],
    ['a path with ..', { name: 'a/../../b' }, /entry "a\/\.\.\/\.\.\/b": the path holds "\.\."/],
    ['.. itself', { name: '..' }, /"\.\."/],
    ['.. in the prefix', { name: 'b', prefix: '..' }, /"\.\."/],
    ['a backslash', { name: 'a\\..\\b' }, /backslash/],
    ['a control character', { name: 'a\u0001b' }, /control character/],
    ['an empty segment', { name: 'a//b' }, /empty segment/],
    ['an empty name', { name: '' }, /name is empty/],
    ['a name that is no UTF-8', { name: Buffer.from([0x66, 0xff]) }, /not UTF-8/],
    ['a file named as a folder', { name: 'a/' }, /name of a folder/],
    ['a folder with content', { name: 'a', type: '5', content: 'x' }, /folder with content/],
    ['a name that is too long', { name: 'n'.repeat(100), prefix: 'p'.repeat(155) }, /longer than 200 bytes/],
    ['a duplicate', { name: './spin.toml' }, /twice/],
    ['a file below a file', { name: 'spin.toml/x' }, /lies below "spin.toml"/],
    ['a folder in the place of a file', { name: 'spin.toml', type: '5' }, /a file and a folder/],
  ])('refuses %s by name', async (_, entry, message) => {
    const error = await refusal(rawTarGz([manifest, entry]), { pathBytes: 200 });
    expect(error.code).toBe('BUNDLE_ENTRY_REFUSED');
    expect(error.message).toMatch(message);
  });

  it.each([
    ['a NUL in a pax path', [pax({ path: 'a\u0000b' }), { name: 'a' }], /NUL/],
    ['.. in a pax path', [pax({ path: '../b' }), { name: 'a' }], /"\.\."/],
    ['a path for every entry', [pax({ path: 'b' }, 'g'), { name: 'a' }], /global pax header/],
    ['a sparse file of pax', [pax({ 'GNU.sparse.major': '1', 'GNU.sparse.name': 'holes' }), { name: 'a' }], /"holes".*sparse/],
    ['an absolute GNU long name', [{ name: '././@LongLink', type: 'L', content: '/etc/passwd\0' }, { name: 'a' }], /absolute/],
    ['a name header out of all proportion', [{ name: 'p', type: 'x', content: Buffer.alloc(70_000) }, { name: 'a' }], /70000 bytes/],
    ['a file in the place of a folder', [{ name: 'a/b' }, { name: 'a' }], /a file and a folder/],
  ])('refuses %s', async (_, entries, message) => {
    const error = await refusal(rawTarGz([manifest, ...entries]));
    expect(error.code).toBe('BUNDLE_ENTRY_REFUSED');
    expect(error.message).toMatch(message);
  });

  it.each<[string, Partial<BundleLimits>, RegExp]>([
    ['compressed size', { bundleBytes: 100 }, /more than 100 bytes/],
    ['unpacked size', { unpackedBytes: 4000 }, /"b".*unpack to/],
    ['size of one file', { fileBytes: 1000 }, /"a" has 3000 bytes/],
    ['number of entries', { entries: 2 }, /more than 2 entries.*"b"/],
  ])('refuses what is over the %s', async (_, limits, message) => {
    const error = await refusal(rawTarGz([manifest, { name: 'a', content: 'x'.repeat(3000) }, { name: 'b', content: 'y'.repeat(3000) }]), limits);
    expect(error.code).toBe('BUNDLE_TOO_LARGE');
    expect(error.message).toMatch(message);
  });

  it('refuses a decompression bomb long before it is unpacked', async () => {
    const error = await refusal(rawTarGz([manifest, { name: 'zeros', content: Buffer.alloc(64 * 1024 * 1024) }]));
    expect(error.code).toBe('BUNDLE_TOO_LARGE');
    expect(error.message).toMatch(/200 times its size \((\d+) bytes/);
    expect(Number(/\((\d+) bytes/.exec(error.message)![1])).toBeLessThan(20 * 1024 * 1024);
  });

  it.each<[string, Buffer, string, RegExp]>([
    ['an empty body', Buffer.alloc(0), 'BUNDLE_ARCHIVE_INVALID', /empty/],
    ['what is not gzip', Buffer.from('PK\u0003\u0004 this is a zip'), 'BUNDLE_ARCHIVE_INVALID', /no valid gzip/],
    ['gzip of what is no tar', gzipSync(Buffer.alloc(600, 'text')), 'BUNDLE_ARCHIVE_INVALID', /no tar header at byte 0/],
    ['a wrong checksum', rawTarGz([manifest, { name: 'a', badChecksum: true }]), 'BUNDLE_ARCHIVE_INVALID', /checksum.*byte 1024/],
    ['a malformed size', gzipSync(withSize(rawHeader(manifest), '0000000000x\0')), 'BUNDLE_ARCHIVE_INVALID', /no valid size/],
    ['a malformed pax header', rawTarGz([{ name: 'p', type: 'x', content: '99 path=a\n' }]), 'BUNDLE_ARCHIVE_INVALID', /pax header is malformed/],
    ['bytes after the tar', rawTarGz([manifest], Buffer.concat([Buffer.alloc(1024), Buffer.from('more')])), 'BUNDLE_ARCHIVE_INVALID', /after the end of the tar/],
    ['bytes after the gzip', Buffer.concat([rawTarGz([manifest]), Buffer.from('garbage')]), 'BUNDLE_ARCHIVE_INVALID', /no valid gzip/],
    ['zeros and more after the gzip', Buffer.concat([rawTarGz([manifest]), Buffer.from('\u0000garbage')]), 'BUNDLE_ARCHIVE_INVALID', /8 bytes after the end of the gzip/],
    ['no end mark', gzipSync(rawTar([manifest], Buffer.alloc(0))), 'BUNDLE_TRUNCATED', /without the end mark/],
    ['half an end mark', gzipSync(rawTar([manifest], Buffer.alloc(512))), 'BUNDLE_TRUNCATED', /end mark/],
    ['a file cut short', gzipSync(rawTar([manifest, { name: 'a', content: 'x'.repeat(2000) }]).subarray(0, 2000)), 'BUNDLE_TRUNCATED', /inside entry "a"/],
  ])('refuses %s', async (_, bytes, code, message) => {
    const error = await refusal(bytes);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it('refuses an upload that is cut off at any point', async () => {
    const whole = rawTarGz([manifest, { name: 'a', content: 'some content' }]);
    for (let end = 1; end < whole.length; end += 5) expect((await refusal(whole.subarray(0, end))).code).toBe('BUNDLE_TRUNCATED');
  });

  it('says that the upload was cut off when the connection fails', async () => {
    const whole = rawTarGz([manifest, { name: 'a', content: 'x'.repeat(10_000) }]);
    async function* failing() {
      yield whole.subarray(0, 20);
      throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
    }
    await expect(unpackBundle(failing(), target, DEFAULT_BUNDLE_LIMITS)).rejects.toMatchObject({ code: 'BUNDLE_TRUNCATED', message: 'the upload was cut off after 20 bytes', cause: { code: 'ECONNRESET' } });
    expect(existsSync(target)).toBe(false);
  });

  it('stops when it is aborted, in the middle of a body that never ends', async () => {
    const abort = new AbortController();
    async function* endless() {
      yield rawTarGz([manifest]).subarray(0, 20);
      setTimeout(() => abort.abort(new Error('enough')), 20);
      await new Promise((resolve) => setTimeout(resolve, 200));
      yield Buffer.alloc(10);
    }
    await expect(unpackBundle(endless(), target, DEFAULT_BUNDLE_LIMITS, abort.signal)).rejects.toThrow('enough');
    expect(existsSync(target)).toBe(false);
  });

  it('refuses a bundle without a manifest and says where one is', async () => {
    expect((await refusal(rawTarGz([{ name: 'app/spin.toml', content: 'x' }, { name: 'app/a.wasm' }]))).message).toMatch(/everything is below the folder "app"/);
    expect((await refusal(rawTarGz([{ name: 'app/spin.toml', content: 'x' }, { name: 'other' }]))).message).toMatch(/there is one at "app\/spin.toml"/);
    const error = await refusal(rawTarGz([{ name: 'index.html' }]));
    expect(error.code).toBe('BUNDLE_MANIFEST_MISSING');
  });

  it('reads or refuses whatever damage is done to an archive, and leaves nothing behind', async () => {
    const seed = Date.now() % 1e6;
    const random = new Random(seed);
    const whole = rawTar([manifest, pax({ path: `${'d/'.repeat(60)}long` }), { name: 'short', content: 'x'.repeat(700) }, { name: 'a/', type: '5' }]);
    for (let round = 0; round < 300; round++) {
      const damaged = Buffer.from(whole);
      for (let changes = 1 + random.below(4); changes > 0; changes--) damaged[random.below(damaged.length)] = random.below(256);
      const error = await unpack(gzipSync(random.below(5) > 0 ? withChecksums(damaged) : damaged)).then(() => undefined, (reason: unknown) => reason);
      if (error !== undefined && !(error instanceof WhorlError)) throw new Error(`seed ${seed}, round ${round}`, { cause: error });
      expect(existsSync(target)).toBe(error === undefined);
      await rm(target, { recursive: true, force: true });
    }
  });

  it('leaves a directory alone that is not empty', async () => {
    await mkdir(target);
    await writeFile(join(target, 'mine'), '');
    await expect(unpack(rawTarGz([manifest]))).rejects.toThrow(/not empty/);
    expect(existsSync(join(target, 'mine'))).toBe(true);
  });
});

describe(packBundle.name, () => {
  const entry = (path: string, content = path) => ({ path, content: Buffer.from(content) });

  it('makes the same bytes of the same files, whatever their order', async () => {
    const files = [entry('spin.toml'), entry('b/c'), entry('a')];
    expect(await packBundle(files)).toEqual(await packBundle(files.toReversed()));
  });

  it('makes what is read back, also by the system\'s tar', async () => {
    const long = `${'long/'.repeat(30)}file`;
    const exact = Buffer.alloc(1024, 1);
    const packed = await packBundle([entry('spin.toml', 'x'), entry(long, 'deep'), entry('ü', 'u'), { path: 'exact', content: exact }]);
    const bundle = await unpack(packed);
    expect([...bundle.entries.keys()].sort()).toEqual(['exact', long, 'spin.toml', 'ü'].sort());
    expect(await readFile(contentPath(target, bundle.entries.get('exact')!.digest))).toEqual(exact);
    await writeFile(join(root, 'p.tgz'), packed);
    expect(execFileSync('tar', ['-tzf', join(root, 'p.tgz'), '--quoting-style=literal'], { encoding: 'utf8' }).trim().split('\n').sort()).toEqual(['exact', long, 'spin.toml', 'ü'].sort());
  });

  it.each(['/abs', '../up', 'a\\b', './a', 'a/'])('refuses to pack "%s"', (path) => expect(packBundle([entry(path)])).rejects.toThrow(/cannot pack/));
  it('refuses to pack a path twice', () => expect(packBundle([entry('a'), entry('a')])).rejects.toThrow(/twice/));
});

/** Damage that a wrong checksum does not give away. */
function withChecksums(tar: Buffer): Buffer {
  for (let at = 0; at < tar.length; at += 512) {
    const block = tar.subarray(at, at + 512);
    if (block.toString('latin1', 257, 262) !== 'ustar') continue;
    block.fill(' ', 148, 156);
    block.write(`${block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  }
  return tar;
}

function withSize(header: Buffer, size: string): Buffer {
  header.write(size, 124, 'latin1');
  header.fill(' ', 148, 156);
  header.write(`${header.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([header, Buffer.alloc(1536)]);
}
