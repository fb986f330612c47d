import { createHash, type KeyObject, sign } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { WhorlError } from '#contract/errors.js';
import type { BlobDigest } from '#contract/ids.js';
import { type ImageBlob, ImageSource, type Referrer, type ResolvedImage } from '#registry/artifact/image-source.js';
import { parseReference } from '#registry/client/reference.js';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const IN_TOTO = 'application/vnd.in-toto+json';

export const digestOf = (bytes: Uint8Array): BlobDigest => `sha256:${createHash('sha256').update(bytes).digest('hex')}` as BlobDigest;

/** One repository, kept in memory as a registry keeps it, and what cosign does to it. */
export class ImageShelf extends ImageSource {
  readonly blobs = new Map<string, Buffer>();
  readonly tags = new Map<string, string>();
  /** What the next call fails with. */
  failure: WhorlError | undefined;
  private readonly attached: Referrer[] = [];

  /** An image with one layer. */
  image(content: string, tag = '1.0.0', reference = `registry.test/acme/shop:${tag}`): ResolvedImage {
    const manifest = this.manifestOf([{ mediaType: 'application/wasm', content: Buffer.from(content) }]);
    this.tags.set(tag, digestOf(manifest));
    return { reference, digest: digestOf(manifest), mediaType: MANIFEST, manifest };
  }

  /** `cosign sign` up to version 2: a payload that names the image, under a tag of its digest. A later signature is a further layer. */
  signByTag(image: ResolvedImage, key: KeyObject, more: Record<string, string> | ((payload: Buffer, signature: Buffer) => Record<string, string>) = {}, payload = simpleSigning(image.digest)): BlobDigest {
    const signature = sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', payload, key);
    const annotations = { 'dev.cosignproject.cosign/signature': signature.toString('base64'), ...(typeof more === 'function' ? more(payload, signature) : more) };
    this.addTo(`${image.digest.replace(':', '-')}.sig`, { mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json', content: payload, annotations });
    return digestOf(payload);
  }

  /** `cosign sign` from version 3 on, `cosign attest`, GitHub's attestations: a bundle that refers to the image. */
  attachBundle(image: ResolvedImage, bundle: object, annotations: Record<string, string> = {}): BlobDigest {
    const manifest = this.manifestOf([{ mediaType: BUNDLE, content: Buffer.from(JSON.stringify(bundle)) }], image);
    this.attached.push({ mediaType: MANIFEST, digest: digestOf(manifest), bytes: manifest.length, artifactType: BUNDLE, annotations });
    return digestOf(manifest);
  }

  /** `oras attach`. */
  attach(image: ResolvedImage, artifactType: string, content: Buffer): BlobDigest {
    const manifest = this.manifestOf([{ mediaType: artifactType, content }], image);
    this.attached.push({ mediaType: MANIFEST, digest: digestOf(manifest), bytes: manifest.length, artifactType });
    return digestOf(manifest);
  }

  /** `cosign attest` up to version 2. */
  attestByTag(image: ResolvedImage, predicateType: string, content: Buffer): BlobDigest {
    this.addTo(`${image.digest.replace(':', '-')}.att`, { mediaType: 'application/vnd.dsse.envelope.v1+json', content, annotations: { predicateType } });
    return digestOf(content);
  }

  override async resolve(reference: string): Promise<ResolvedImage> {
    if (this.failure) throw this.failure;
    const { tag, digest } = parseReference(reference);
    const found = digest ?? this.tags.get(tag!);
    const manifest = found === undefined ? undefined : this.blobs.get(found);
    if (!manifest) throw new WhorlError('REGISTRY_IMAGE_UNKNOWN', `there is no ${reference}`);
    return { reference, digest: found as BlobDigest, mediaType: MANIFEST, manifest };
  }

  override async manifest(_image: ResolvedImage, digest: BlobDigest): Promise<Buffer> {
    return this.blobs.get(digest)!;
  }

  override async hasBlob(_image: ResolvedImage, { digest }: ImageBlob): Promise<boolean> {
    return this.blobs.has(digest);
  }

  override async fetchBlob(_image: ResolvedImage, { digest }: ImageBlob, path: string): Promise<void> {
    await writeFile(path, this.blobs.get(digest)!, { flag: 'wx' });
  }

  override async referrers(): Promise<Referrer[]> {
    return this.attached;
  }

  private addTo(tag: string, layer: Layer): void {
    const before = this.tags.has(tag) ? (JSON.parse(this.blobs.get(this.tags.get(tag)!)!.toString()) as { layers: object[] }).layers : [];
    this.blobs.set(digestOf(layer.content), layer.content);
    const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, layers: [...before, descriptorOf(layer)] }));
    this.blobs.set(digestOf(manifest), manifest);
    this.tags.set(tag, digestOf(manifest));
  }

  private manifestOf(layers: Layer[], subject?: ResolvedImage): Buffer {
    for (const { content } of layers) this.blobs.set(digestOf(content), content);
    const manifest = Buffer.from(JSON.stringify({
      schemaVersion: 2, mediaType: MANIFEST, layers: layers.map(descriptorOf), ...(subject && { subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.manifest.length } }),
    }));
    this.blobs.set(digestOf(manifest), manifest);
    return manifest;
  }
}

interface Layer {
  mediaType: string;
  content: Buffer;
  annotations?: Record<string, string>;
}

function descriptorOf({ mediaType, content, annotations }: Layer): object {
  return { mediaType, digest: digestOf(content), size: content.length, ...(annotations && { annotations }) };
}

/** The payload that cosign signs (containers/image, simple signing). */
export function simpleSigning(digest: string, reference = 'registry.test/acme/shop'): Buffer {
  return Buffer.from(JSON.stringify({ critical: { identity: { 'docker-reference': reference }, image: { 'docker-manifest-digest': digest }, type: 'cosign container image signature' }, optional: null }));
}

/** A signed in-toto statement about an image (DSSE). */
export function makeEnvelope(image: { digest: string }, predicateType: string, key: KeyObject): { payload: Buffer; signature: Buffer; dsseEnvelope: object } {
  const [algorithm, hex] = image.digest.split(':') as [string, string];
  const payload = Buffer.from(JSON.stringify({ _type: 'https://in-toto.io/Statement/v1', subject: [{ digest: { [algorithm]: hex } }], predicateType, predicate: {} }));
  // The pre-authentication encoding (secure-systems-lab/dsse, protocol.md).
  const signed = Buffer.concat([Buffer.from(`DSSEv1 ${IN_TOTO.length} ${IN_TOTO} ${payload.length} `), payload]);
  const signature = sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', signed, key);
  return { payload, signature, dsseEnvelope: { payload: payload.toString('base64'), payloadType: IN_TOTO, signatures: [{ sig: signature.toString('base64'), keyid: '' }] } };
}

/** A bundle of the newest format. */
export function makeBundle(material: object, content: object): object {
  return { mediaType: BUNDLE, verificationMaterial: material, ...content };
}
