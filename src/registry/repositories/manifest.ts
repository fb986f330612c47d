import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import { BlobDigest } from '#contract/ids.js';

/** Largest manifest: what clients read of one at most (the specification asks for at least 4 megabytes). */
export const MANIFEST_MAX_BYTES = 4 * 1024 * 1024;

export const IMAGE_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const IMAGE_INDEX = 'application/vnd.oci.image.index.v1+json';
const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
/** Types of image manifests; Docker's are the same documents under other names. */
export const IMAGE_TYPES: ReadonlySet<string> = new Set([IMAGE_MANIFEST, DOCKER_MANIFEST]);
/** Types of image indexes, likewise. */
export const INDEX_TYPES: ReadonlySet<string> = new Set([IMAGE_INDEX, DOCKER_LIST]);
/** Docker's schema 1 names its layers in another way and signs another text than what is stored. */
const REFUSED = /^application\/vnd\.docker\.distribution\.manifest\.v1\+/;
/** Layers that need not be in the registry (OCI image-spec, non-distributable layers; Docker's foreign layers). */
const ELSEWHERE = /^application\/vnd\.oci\.image\.layer\.nondistributable\.|^application\/vnd\.docker\.image\.rootfs\.foreign\./;

/** RFC 6838 §4.2, with no parameters. */
export const MediaType = z.string().max(255).regex(/^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*$/, 'expected a media type');

const Descriptor = z.object({ mediaType: z.string().max(255), digest: BlobDigest, size: z.int().min(0) });
const ManifestDocument = z.object({
  schemaVersion: z.literal(2).optional(),
  mediaType: z.string().optional(),
  /** Kept as it is: a value that is no media type is the client's affair. */
  artifactType: z.string().max(255).refine((text) => !text.includes('\0'), 'must not contain U+0000').nullish(),
  // Clients in Go write null for a list that is empty.
  config: Descriptor.nullish(),
  layers: z.array(Descriptor).nullish(),
  blobs: z.array(Descriptor).nullish(),
  manifests: z.array(Descriptor).nullish(),
  subject: Descriptor.nullish(),
  annotations: z.record(z.string(), z.string()).nullish(),
});

export type NameKind = 'config' | 'layer' | 'manifest';

/** What a manifest names. */
export interface NamedContent {
  digest: BlobDigest;
  kind: NameKind;
  /** As the descriptor says; `size` in the specification. */
  bytes: number;
  /** Whether the manifest is refused when it is not there. */
  required: boolean;
}

export interface Manifest {
  mediaType: string;
  /** Of an image without one, the media type of its config (distribution-spec, listing referrers). */
  artifactType: string | undefined;
  subject: BlobDigest | undefined;
  annotations: Record<string, string> | undefined;
  names: NamedContent[];
}

/**
 * Reads what the registry must know of a manifest. Image manifests and indexes (OCI's and Docker's) have the form that their specification
 * says; any other type is kept when it is a JSON object, and what it names in the same members is looked at in the same way.
 * `contentType` may have parameters and may be absent. Throws REGISTRY_MANIFEST_INVALID.
 */
export function readManifest(contentType: string | undefined, content: Buffer): Manifest {
  const parsed = ManifestDocument.safeParse(parseJson(content));
  if (!parsed.success) throw invalid(parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'manifest'}: ${message}`).join('; '));
  const document = parsed.data;
  const mediaType = typeOf(contentType, document.mediaType);
  const { config, layers, blobs, manifests } = document;
  if (IMAGE_TYPES.has(mediaType) && (!document.schemaVersion || !config || layers === undefined || manifests)) throw invalid('an image has schemaVersion 2, config and layers');
  if (INDEX_TYPES.has(mediaType) && (!document.schemaVersion || manifests === undefined || config || layers)) throw invalid('an index has schemaVersion 2 and manifests');
  return {
    mediaType,
    artifactType: document.artifactType || (IMAGE_TYPES.has(mediaType) ? config?.mediaType : undefined),
    subject: document.subject?.digest,
    annotations: document.annotations ?? undefined,
    names: [
      ...(config ? [{ digest: config.digest, kind: 'config' as const, bytes: config.size, required: true }] : []),
      ...[...(layers ?? []), ...(blobs ?? [])].map((layer) => ({ digest: layer.digest, kind: 'layer' as const, bytes: layer.size, required: !ELSEWHERE.test(layer.mediaType) })),
      ...(manifests ?? []).map(({ digest, size }) => ({ digest, kind: 'manifest' as const, bytes: size, required: true })),
    ],
  };
}

function typeOf(contentType: string | undefined, declared: string | undefined): string {
  const given = contentType?.split(';')[0]!.trim() || declared;
  if (given === undefined) throw invalid('the request has no Content-Type, and the manifest no mediaType');
  if (declared !== undefined && declared !== given) throw invalid(`its mediaType is ${JSON.stringify(declared.slice(0, 255))}, the Content-Type of the request ${JSON.stringify(given.slice(0, 255))}`);
  const checked = MediaType.safeParse(given);
  if (!checked.success) throw invalid(`${JSON.stringify(given.slice(0, 255))} is no media type`);
  if (REFUSED.test(given)) throw invalid(`manifests of the type ${given} (Docker schema 1) are not taken: push with a client from 2017 or later`);
  return checked.data;
}

function parseJson(content: Buffer): unknown {
  if (!isUtf8(content)) throw invalid('it is not UTF-8');
  try {
    return JSON.parse(content.toString('utf8'));
  } catch {
    throw invalid('it is no JSON');
  }
}

const invalid = (why: string): WhorlError => new WhorlError('REGISTRY_MANIFEST_INVALID', `the manifest is refused: ${why}`);
