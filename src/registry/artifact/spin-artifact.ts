import { isUtf8 } from 'node:buffer';
import { readFile, writeFile } from 'node:fs/promises';
import { type BundleLimits, LOCKED_APP_MAX_BYTES } from '#contract/bundle/limits.js';
import { lockApp } from '#contract/bundle/lock.js';
import type { LockedContent } from '#contract/bundle/locked-contents.js';
import type { LockedApp } from '#contract/bundle/locked-app.js';
import { formatPath, formatProblem } from '#contract/bundle/problems.js';
import { parseLockedApp } from '#contract/bundle/read-locked.js';
import { contentPath } from '#contract/bundle/unpack.js';
import { WhorlError } from '#contract/errors.js';
import type { Digest } from '#contract/ids.js';
import { eachAtOnce } from '#platform/each-at-once.js';
import type { Artifact, ImageLayer } from './artifact.js';
import type { ArtifactFiles } from './artifact-files.js';
import type { Place } from './place.js';

/** Layers that are fetched at the same time. */
const FETCHES_AT_ONCE = 8;

export interface SpinApp {
  /** The locked app as it was pushed. */
  text: string;
  app: LockedApp;
  located: Map<Digest, Place>;
  warnings: string[];
}

/**
 * Reads what `spin registry push` wrote (Spin's `oci` crate): checks the locked app, and finds the bytes of everything that it names: in
 * itself, in a layer of their own, or in an archive layer. Throws what `parseLockedApp` throws, BUNDLE_FILE_MISSING for what is nowhere,
 * and what `files` throws.
 */
export async function readSpinApp({ locked, layers, archives }: Extract<Artifact, { kind: 'spin' }>, files: ArtifactFiles, folder: string, limits: BundleLimits): Promise<SpinApp> {
  const text = await readLocked(locked, files);
  const { manifest, contents } = parseLockedApp(text);
  const located = new Map<Digest, Place>();
  const byDigest = new Map(layers.map((layer) => [layer.digest as string, layer]));
  const own = new Map<Digest, ImageLayer>();
  for (const { digest, inline } of contents) {
    const layer = byDigest.get(digest);
    if (inline) located.set(digest, await writeInline(folder, digest, inline));
    else if (layer) own.set(digest, layer);
  }
  checkSize(contents, own, limits);
  await eachAtOnce(FETCHES_AT_ONCE, own, async ([digest, layer]) => {
    located.set(digest, await files.place(layer));
  });
  const isMissing = ({ digest }: LockedContent): boolean => !located.has(digest);
  if (contents.some(isMissing)) await unpackAll(archives, files, limits, located);
  requireAll(contents.filter(isMissing));
  const entries = new Map(contents.map(({ digest }) => [digest, { digest, bytes: located.get(digest)!.bytes }]));
  const { app, warnings } = lockApp(manifest, { entries, folders: new Set() });
  return { text, app, located, warnings: warnings.map((warning) => `locked app ${formatProblem(warning)}`) };
}

/** Archives are held to the limits while they are unpacked. */
function checkSize(contents: LockedContent[], own: ReadonlyMap<Digest, ImageLayer>, { entries, unpackedBytes }: BundleLimits): void {
  if (contents.length > entries) throw new WhorlError('BUNDLE_TOO_LARGE', `the locked app names ${contents.length} different files, more than ${entries}`);
  const bytes = [...own.values()].reduce((sum, layer) => sum + layer.bytes, 0);
  if (bytes > unpackedBytes) throw new WhorlError('BUNDLE_TOO_LARGE', `the image's layers have ${bytes} bytes together, more than ${unpackedBytes}`);
}

async function readLocked(layer: ImageLayer, files: ArtifactFiles): Promise<string> {
  if (layer.bytes > LOCKED_APP_MAX_BYTES) throw new WhorlError('BUNDLE_TOO_LARGE', `the locked app has ${layer.bytes} bytes, more than the ${LOCKED_APP_MAX_BYTES} it may have`);
  const content = await readFile(await files.fetch(layer));
  if (!isUtf8(content)) throw new WhorlError('BUNDLE_MANIFEST_SYNTAX', 'the locked app is not UTF-8');
  return content.toString('utf8');
}

async function writeInline(folder: string, digest: Digest, content: Buffer): Promise<Place> {
  const path = `${contentPath(folder, digest)}.inline`;
  await writeFile(path, content);
  return { bytes: content.length, path };
}

/** The limits hold for all archives together. */
async function unpackAll(archives: ImageLayer[], files: ArtifactFiles, limits: BundleLimits, located: Map<Digest, Place>): Promise<void> {
  let left = limits;
  for (const archive of archives) {
    if (archive.bytes > limits.bundleBytes) throw new WhorlError('BUNDLE_TOO_LARGE', `the archive layer ${archive.digest} has ${archive.bytes} bytes, more than the ${limits.bundleBytes} that a bundle may have`);
    const { places, entries, bytes } = await files.unpack(archive, left);
    left = { ...left, entries: left.entries - entries, unpackedBytes: left.unpackedBytes - bytes };
    for (const [digest, place] of places) if (!located.has(digest)) located.set(digest, place);
  }
}

function requireAll(missing: LockedContent[]): void {
  if (missing.length === 0) return;
  const fields = Object.fromEntries(missing.map(({ at, digest }) => [formatPath(at), [`the image holds nothing with the digest ${digest}`]]));
  const [first] = missing;
  const more = missing.length > 1 ? `, and ${missing.length - 1} more` : '';
  throw new WhorlError('BUNDLE_FILE_MISSING', `locked app ${formatPath(first!.at)}: the image holds nothing with the digest ${first!.digest}, neither in a layer nor in an archive${more}`, { fields });
}
