import { createReadStream } from 'node:fs';
import type { BundleLimits } from '#contract/bundle/limits.js';
import { WhorlError } from '#contract/errors.js';
import { BlobDigest, Digest } from '#contract/ids.js';
import type { ImageOptions, IngestedBundle, IngestedImage } from '#contract/registry.js';
import { type Artifact, type ImageLayer, readArtifact } from '#registry/artifact/artifact.js';
import { ArtifactFiles, sha256Of } from '#registry/artifact/artifact-files.js';
import type { ImageBlob, ImageSource, ResolvedImage } from '#registry/artifact/image-source.js';
import { readSpinApp } from '#registry/artifact/spin-artifact.js';
import { chooseFromIndex } from '#registry/client/image-index.js';
import { formatReference, parseReference } from '#registry/client/reference.js';
import { INDEX_TYPES } from '#registry/repositories/manifest.js';
import { digestOf } from '#registry/repositories/reference.js';
import type { BlobStorage } from '#registry/storage/blob-storage.js';
import type { ImageVerifier } from '#registry/trust/image-verifier.js';
import type { BundleIntake } from './bundle-intake.js';
import type { Intake, Push } from './intake.js';

export interface ImageIntakeParts {
  storage: BlobStorage;
  intake: Intake;
  bundles: BundleIntake;
  limits: BundleLimits;
  builtIn: ImageSource;
  remote: ImageSource;
  verifier: ImageVerifier | undefined;
}

/** What is left to say of an app once its image is known. */
type Taken = Pick<IngestedBundle, 'manifest' | 'app' | 'builds' | 'warnings'>;

/** Makes an app of an image, of the built-in registry or any other. */
export class ImageIntake {
  constructor(private readonly parts: ImageIntakeParts) {}

  /** Throws what `Registry.ingestImage` throws. */
  async take(reference: string, { app, hosts, held }: ImageOptions, push: Push): Promise<IngestedImage> {
    const { source, asked } = this.sourceOf(reference, hosts);
    const image = await source.resolve(asked, push.signal);
    const trust = await this.parts.verifier?.verifyImage(image, { app, source, signal: push.signal });
    const { artifact, bytes } = await this.read(image, source, push.signal);
    const mayTake = source === this.parts.builtIn ? (layer: ImageBlob) => source.hasBlob(image, layer, push.signal) : await heldOf(artifact, held);
    const files = new ArtifactFiles({ image, source, storage: this.parts.storage, mayTake, folder: push.folder, limits: this.parts.limits, signal: push.signal });
    const taken = await this.takeArtifact(artifact, image, files, push);
    return { ...taken, digest: versionDigest(image), bytes, image: { reference: image.reference, digest: image.digest, ...(trust && { trust }) } };
  }

  /** The API's own host in front means the built-in registry as well. */
  private sourceOf(reference: string, hosts: readonly string[]): { source: ImageSource; asked: string } {
    const parsed = parseReference(reference);
    const isOwn = parsed.host === undefined || hosts.some((host) => host.toLowerCase() === parsed.host);
    return isOwn ? { source: this.parts.builtIn, asked: formatReference({ ...parsed, host: undefined }) } : { source: this.parts.remote, asked: reference };
  }

  private async read(image: ResolvedImage, source: ImageSource, signal: AbortSignal): Promise<ReturnType<typeof readArtifact>> {
    try {
      if (!INDEX_TYPES.has(image.mediaType)) return readArtifact(image.manifest);
      const chosen = BlobDigest.safeParse(chooseFromIndex(image.manifest));
      if (!chosen.success) throw new WhorlError('REGISTRY_IMAGE_UNSUPPORTED', 'the image index names an image by a digest that is not known here');
      return readArtifact(await source.manifest(image, chosen.data, signal));
    } catch (error) {
      if (error instanceof WhorlError && error.code === 'REGISTRY_IMAGE_UNSUPPORTED') throw new WhorlError(error.code, `${image.reference}: ${error.message}`, { cause: error });
      throw error;
    }
  }

  private async takeArtifact(artifact: Artifact, image: ResolvedImage, files: ArtifactFiles, push: Push): Promise<Taken> {
    switch (artifact.kind) {
      case 'spin': {
        const { text, app, located, warnings } = await readSpinApp(artifact, files, push.folder, this.parts.limits);
        return { manifest: text, app, builds: await this.parts.intake.takeApp(app, { ...push, located }), warnings };
      }
      case 'component':
        return this.takeComponent(artifact.layer, image, files, push);
      case 'bundle': {
        const { digest: _digest, bytes: _bytes, ...taken } = await this.parts.bundles.take(createReadStream(await files.fetch(artifact.layer)), push);
        return taken;
      }
    }
  }

  /** As Spin runs it: the component answers every path. */
  private async takeComponent(layer: ImageLayer, { reference }: ResolvedImage, files: ArtifactFiles, push: Push): Promise<Taken> {
    const sha256 = Digest.safeParse(layer.digest);
    const place = sha256.success ? await files.place(layer) : { bytes: layer.bytes, path: await files.fetch(layer) };
    const digest = sha256.data ?? (await sha256Of(place.path!, push.signal));
    push.located.set(digest, place);
    return this.parts.intake.takeManifest(manifestOf(reference), { entries: new Map([['main.wasm', { digest, bytes: layer.bytes }]]), folders: new Set() }, push);
  }
}

/** Which layers the organisation has already, asked once for all of them. */
async function heldOf(artifact: Artifact, held: ImageOptions['held']): Promise<(layer: ImageBlob) => Promise<boolean>> {
  const layers = artifact.kind === 'spin' ? artifact.layers : [artifact.layer];
  const digests = layers.flatMap(({ digest }) => Digest.safeParse(digest).data ?? []);
  const known = (await held?.(digests)) ?? new Set<string>();
  return async ({ digest }) => known.has(digest);
}

/** The name is the repository's last part: letters, digits, dots, hyphens and underscores. */
const manifestOf = (reference: string): string => `spin_manifest_version = 2

[application]
name = "${parseReference(reference).repository.split('/').at(-1)}"

[[trigger.http]]
route = "/..."
component = "main"

[component.main]
source = "main.wasm"
`;

/** The same image is the same version; versions are named by SHA-256. */
function versionDigest({ digest, manifest }: ResolvedImage): Digest {
  return Digest.safeParse(digest).data ?? (digestOf(manifest, 'sha256') as Digest);
}
