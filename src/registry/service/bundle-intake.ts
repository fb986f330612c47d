import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BundleLimits, MANIFEST_MAX_BYTES, MANIFEST_NAME } from '#contract/bundle/limits.js';
import { type UnpackedBundle, contentPath, unpackBundle } from '#contract/bundle/unpack.js';
import { WhorlError } from '#contract/errors.js';
import type { IngestedBundle } from '#contract/registry.js';
import type { Intake, Push } from './intake.js';

/** Takes a tar.gz in. */
export class BundleIntake {
  constructor(private readonly intake: Intake, private readonly limits: BundleLimits) {}

  /** Throws what `Registry.ingest` throws. */
  async take(body: AsyncIterable<Uint8Array>, push: Push): Promise<IngestedBundle> {
    const directory = join(push.folder, 'bundle');
    const unpacked = await unpackBundle(body, directory, this.limits, push.signal);
    const text = await readManifest(unpacked, directory);
    for (const { digest, bytes } of unpacked.entries.values()) push.located.set(digest, { bytes, path: contentPath(directory, digest) });
    return { digest: unpacked.digest, bytes: unpacked.bytes, ...(await this.intake.takeManifest(text, unpacked, push)) };
  }
}

async function readManifest({ entries }: UnpackedBundle, directory: string): Promise<string> {
  const { digest, bytes } = entries.get(MANIFEST_NAME)!;
  if (bytes > MANIFEST_MAX_BYTES) throw new WhorlError('BUNDLE_TOO_LARGE', `${MANIFEST_NAME} has ${bytes} bytes, more than the ${MANIFEST_MAX_BYTES} a manifest may have`);
  const content = await readFile(contentPath(directory, digest));
  if (!isUtf8(content)) throw new WhorlError('BUNDLE_MANIFEST_SYNTAX', `${MANIFEST_NAME} is not UTF-8`);
  return content.toString('utf8');
}
