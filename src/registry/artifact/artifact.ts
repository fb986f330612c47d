import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import { BlobDigest } from '#contract/ids.js';
import type { ImageBlob } from './image-source.js';

/** Media types of Spin's artifacts (its `oci` crate), of `wkg`, and Whorl's own: a bundle as one layer. */
const SPIN_LOCKED_APP = 'application/vnd.fermyon.spin.application.v1+config';
const SPIN_ARCHIVE = 'application/vnd.wasm.content.bundle.v1.tar+gzip';
const WASM = new Set(['application/wasm', 'application/vnd.wasm.content.layer.v1+wasm']);
const BUNDLE_LAYER = 'application/vnd.whorl.bundle.v1.tar+gzip';
const BUNDLE_ARTIFACT = 'application/vnd.whorl.bundle.v1';
/** What tools write of a tar.gz that they are told nothing about. */
const TAR_GZIP = new Set([BUNDLE_LAYER, 'application/gzip', 'application/x-gzip', 'application/octet-stream', 'application/vnd.oci.image.layer.v1.tar+gzip', 'application/vnd.oci.image.layer.v1.tar']);
/** Layers of programs for a machine. */
const CONTAINER_LAYER = /^application\/vnd\.(?:oci\.image\.layer\.v1\.tar|docker\.image\.rootfs\.diff\.tar)/;

const Descriptor = z.object({ mediaType: z.string(), digest: BlobDigest, size: z.int().nonnegative() }).transform(({ size, ...rest }) => ({ ...rest, bytes: size }));
const ImageManifest = z.object({ artifactType: z.string().nullish(), config: Descriptor, layers: z.array(Descriptor) });

export interface ImageLayer extends ImageBlob {
  mediaType: string;
}

/** What an image is, as far as an app can be made of it. */
export type Artifact =
  /** Of `spin registry push`: `archives` hold files that have no layer of their own. */
  | { kind: 'spin'; locked: ImageLayer; archives: ImageLayer[]; layers: ImageLayer[] }
  /** A component alone. */
  | { kind: 'component'; layer: ImageLayer }
  /** A tar.gz with a spin.toml. */
  | { kind: 'bundle'; layer: ImageLayer };

export interface ReadArtifact {
  artifact: Artifact;
  /** Of all that the image has. */
  bytes: number;
}

/**
 * Reads an image manifest (OCI image-spec): a locked app as the last layer or, in older images of Spin's, as the config blob; one layer with a
 * component; Whorl's own bundle, by the type of the layer or of the artifact. Throws REGISTRY_IMAGE_UNSUPPORTED, which says what it is instead.
 */
export function readArtifact(manifest: Buffer): ReadArtifact {
  const { artifactType, config, layers } = parse(manifest);
  const bytes = [config, ...layers].reduce((sum, each) => sum + each.bytes, manifest.length);
  const isLockedApp = ({ mediaType }: ImageLayer): boolean => mediaType === SPIN_LOCKED_APP;
  const locked = layers.findLast(isLockedApp) ?? (isLockedApp(config) ? config : undefined);
  if (locked) return { bytes, artifact: { kind: 'spin', locked, archives: layers.filter(({ mediaType }) => mediaType === SPIN_ARCHIVE), layers: layers.filter((layer) => layer !== locked) } };
  const [only, ...others] = layers;
  if (!only) throw unsupported('it has no layers');
  if (others.length === 0) {
    if (only.mediaType === BUNDLE_LAYER || (artifactType === BUNDLE_ARTIFACT && TAR_GZIP.has(only.mediaType))) return { bytes, artifact: { kind: 'bundle', layer: only } };
    if (WASM.has(only.mediaType)) return { bytes, artifact: { kind: 'component', layer: only } };
  }
  if (layers.some(({ mediaType }) => CONTAINER_LAYER.test(mediaType))) throw unsupported('it is a container image, made for a machine and not for WebAssembly');
  const found = [...new Set(layers.map(({ mediaType }) => mediaType))].slice(0, 5).join(', ');
  throw unsupported(`it has neither a locked app (${SPIN_LOCKED_APP}), nor one layer alone that is a component (application/wasm) or a bundle (${BUNDLE_LAYER}), but ${layers.length} of ${found}`);
}

function parse(manifest: Buffer): z.infer<typeof ImageManifest> {
  let value: unknown;
  try {
    value = JSON.parse(manifest.toString('utf8'));
  } catch (cause) {
    throw unsupported(`its manifest is no JSON: ${(cause as Error).message}`);
  }
  const parsed = ImageManifest.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw unsupported(`its manifest is not one of an image: ${issue!.path.join('.') || 'it'}: ${issue!.message}`);
}

const unsupported = (why: string): WhorlError => new WhorlError('REGISTRY_IMAGE_UNSUPPORTED', why);
