import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ComponentBuild } from '#contract/artifact.js';
import { type BundleLimits, MANIFEST_MAX_BYTES, MANIFEST_NAME } from '#contract/bundle/limits.js';
import type { LockedApp } from '#contract/bundle/locked-app.js';
import { type UnpackedBundle, contentPath, unpackBundle } from '#contract/bundle/unpack.js';
import { WhorlError } from '#contract/errors.js';
import { type IngestedBundle, Registry } from '#contract/registry.js';
import { ENGINE_VERSION } from '#engine/plan.js';
import type { BlobStorage } from '#registry/storage/blob-storage.js';
import type { Intake, Push } from './intake.js';
import type { WorkFolder } from './work-folder.js';

export interface RegistryParts {
  storage: BlobStorage;
  work: WorkFolder;
  intake: Intake;
  limits: BundleLimits;
}

/** The registry as the API sees it: takes bundles in, whichever way they come. */
export class RegistryService extends Registry {
  readonly engine = ENGINE_VERSION;

  constructor(private readonly parts: RegistryParts) {
    super();
  }

  async ingest(body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<IngestedBundle> {
    return this.parts.work.with(async (folder) => {
      const directory = join(folder, 'bundle');
      const unpacked = await unpackBundle(body, directory, this.parts.limits, signal);
      const text = await readManifest(unpacked, directory);
      const taken = await this.parts.intake.takeManifest(text, unpacked, { folder, located: locate(unpacked, directory), signal });
      return { digest: unpacked.digest, bytes: unpacked.bytes, ...taken };
    });
  }

  async rebuild(app: LockedApp, signal: AbortSignal): Promise<Record<string, ComponentBuild>> {
    return this.parts.work.with((folder) => this.parts.intake.rebuild(app, { folder, located: new Map(), signal }));
  }

  async check(): Promise<void> {
    await this.parts.storage.check();
  }
}

function locate({ entries }: UnpackedBundle, directory: string): Push['located'] {
  return new Map([...entries.values()].map(({ digest, bytes }) => [digest, { bytes, path: contentPath(directory, digest) }]));
}

async function readManifest({ entries }: UnpackedBundle, directory: string): Promise<string> {
  const { digest, bytes } = entries.get(MANIFEST_NAME)!;
  if (bytes > MANIFEST_MAX_BYTES) throw new WhorlError('BUNDLE_TOO_LARGE', `${MANIFEST_NAME} has ${bytes} bytes, more than the ${MANIFEST_MAX_BYTES} a manifest may have`);
  const content = await readFile(contentPath(directory, digest));
  if (!isUtf8(content)) throw new WhorlError('BUNDLE_MANIFEST_SYNTAX', `${MANIFEST_NAME} is not UTF-8`);
  return content.toString('utf8');
}
