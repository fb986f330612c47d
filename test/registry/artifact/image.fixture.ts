import { createHash } from 'node:crypto';
import type { BlobDigest } from '#contract/ids.js';
import type { RepositoriesService } from '#registry/repositories/repositories.service.js';
import { parseRepositoryName } from '#registry/repositories/repository-name.js';
import type { BlobStorage } from '#registry/storage/blob-storage.js';
import { rawTarGz } from '../../fixtures/raw-tar.js';

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const SPIN = {
  locked: 'application/vnd.fermyon.spin.application.v1+config',
  wasm: 'application/vnd.wasm.content.layer.v1+wasm',
  data: 'application/vnd.wasm.content.layer.v1+data',
  archive: 'application/vnd.wasm.content.bundle.v1.tar+gzip',
  config: 'application/vnd.oci.image.config.v1+json',
} as const;

export const digestOf = (content: Uint8Array, algorithm = 'sha256'): BlobDigest => `${algorithm}:${createHash(algorithm).update(content).digest('hex')}` as BlobDigest;

export interface TestBlob {
  mediaType: string;
  content: Uint8Array;
  algorithm?: 'sha256' | 'sha512';
}

export interface TestImage {
  manifest: Buffer;
  blobs: TestBlob[];
}

const descriptorOf = ({ mediaType, content, algorithm }: TestBlob) => ({ mediaType, digest: digestOf(content, algorithm), size: content.length });

/** An image manifest and the blobs that it names. */
export function imageOf(layers: TestBlob[], { config = { mediaType: 'application/vnd.oci.empty.v1+json', content: Buffer.from('{}') }, ...more }: { config?: TestBlob; artifactType?: string } = {}): TestImage {
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, ...more, config: descriptorOf(config), layers: layers.map(descriptorOf) };
  return { manifest: Buffer.from(JSON.stringify(manifest)), blobs: [config, ...layers] };
}

export interface SpinPush {
  /** Components' bytes by id. */
  components: Record<string, Uint8Array>;
  /** Files of the component by path. */
  files?: Record<string, Uint8Array>;
  /** As with more than 499 layers, or SPIN_OCI_ARCHIVE_LAYERS. */
  archive?: boolean;
  /** As older releases did: the locked app is the config blob. */
  asConfig?: boolean;
  /** Puts things into the locked app. */
  change?: (locked: LockedJson) => void;
  /** Wasm layers that the locked app names beside its components. */
  wasm?: Uint8Array[];
}

export interface LockedJson {
  [key: string]: unknown;
  components: { [key: string]: unknown; id: string; files: Record<string, unknown>[]; metadata: Record<string, unknown> }[];
  triggers: { [key: string]: unknown; trigger_config: Record<string, unknown> }[];
}

/** Up to so many bytes stand in the locked app itself. */
const INLINE_BYTES = 128;

/**
 * The artifact that `spin registry push` writes (crates/oci of Spin 3 and 4): a wasm layer for each component, a data layer for each file that is not inlined
 * or one archive, the locked app last; an image config with its digest.
 */
export function spinImage({ components, files = {}, archive = false, asConfig = false, change, wasm = [] }: SpinPush): TestImage {
  const layers: TestBlob[] = [...Object.values(components), ...wasm].map((content) => ({ mediaType: SPIN.wasm, content }));
  const lockedFiles = Object.entries(files).map(([target, content]) => {
    const path = target.replace(/^\//, '');
    if (content.length <= INLINE_BYTES) return { inline: Buffer.from(content).toString('base64').replace(/=+$/, ''), digest: digestOf(content), path };
    if (!archive) layers.push({ mediaType: SPIN.data, content });
    return { digest: digestOf(content), path };
  });
  if (archive) layers.push({ mediaType: SPIN.archive, content: archiveOf(files) });
  const [first] = Object.keys(components);
  const locked: LockedJson = {
    spin_lock_version: 1,
    must_understand: [],
    metadata: { name: 'shop', version: '1.2.0', trigger: { type: 'http' }, triggers: { http: {} } },
    host_requirements: {},
    variables: {},
    triggers: [{ id: `${first}-http-trigger`, trigger_type: 'http', trigger_config: { component: first, route: '/...' } }],
    components: Object.entries(components).map(([id, content]) => ({
      id, metadata: { build: { command: 'cargo component build' } }, source: { content_type: 'application/wasm', digest: digestOf(content) }, env: {}, files: id === first ? lockedFiles : [], config: {}, dependencies: {}, host_requirements: {},
    })),
  };
  change?.(locked);
  const blob: TestBlob = { mediaType: SPIN.locked, content: Buffer.from(JSON.stringify(locked)) };
  if (asConfig) return imageOf(layers, { config: blob });
  const config = { architecture: 'wasm', os: 'Wasip1', config: { Labels: { 'com.fermyon.spin.lockedAppDigest': digestOf(blob.content) } }, rootfs: { type: 'layers', diff_ids: [] } };
  return imageOf([...layers, blob], { config: { mediaType: SPIN.config, content: Buffer.from(JSON.stringify(config)) } });
}

/** As Rust's `tar` crate writes a folder: headers of GNU, with an entry for each folder. */
function archiveOf(files: Record<string, Uint8Array>): Buffer {
  const gnu = { magic: 'ustar  \0' };
  const paths = Object.keys(files).map((path) => `.${path}`);
  const folders = new Set(paths.flatMap((path) => path.split('/').slice(0, -1).map((_, i, parts) => `${parts.slice(0, i + 1).join('/')}/`)));
  return rawTarGz([...[...folders].map((name) => ({ ...gnu, name, type: '5' })), ...paths.map((name) => ({ ...gnu, name, content: files[name.slice(1)]! }))]);
}

/** Pushes an image without HTTP: its blobs, then its manifest under a tag. Answers the manifest's digest. */
export async function pushImage({ storage, repositories }: { storage: BlobStorage; repositories: RepositoriesService }, to: string, { manifest, blobs }: TestImage, mediaType = OCI_MANIFEST): Promise<BlobDigest> {
  const [repository, tag] = to.split(':') as [string, string];
  const name = parseRepositoryName(repository);
  for (const { content, algorithm } of blobs) {
    const digest = digestOf(content, algorithm);
    await storage.put({ digest, bytes: content.length }, async function* () {
      yield content;
    });
    await repositories.link(name, digest);
  }
  return (await repositories.putManifest(name, tag, { mediaType, content: manifest })).digest;
}
