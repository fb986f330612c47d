import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import { BlobDigest } from '#contract/ids.js';
import type { ImageBlob, Referrer } from '#registry/artifact/image-source.js';
import { digestOf } from '#registry/repositories/reference.js';
import { IMAGE_INDEX, IMAGE_TYPES, INDEX_TYPES, MANIFEST_MAX_BYTES } from '#registry/repositories/manifest.js';
import { blobStream } from './blob-stream.js';
import type { Dispatchers } from './dispatchers.js';
import { dropBody, fieldOf, readBody, type RegistryAnswer, type RegistryHttp } from './registry-http.client.js';
import type { Access, RegistryTokens } from './registry-tokens.js';

export interface RemoteManifest {
  digest: BlobDigest;
  mediaType: string;
  content: Buffer;
}

/** What may be answered when a manifest is asked for. */
const MANIFEST_TYPES: readonly string[] = [...IMAGE_TYPES, ...INDEX_TYPES];
const MAX_ERROR_BYTES = 16 * 1024;
const MAX_MESSAGE = 200;
/** A list of referrers may have several pages; nobody signs an image that often. */
const MAX_PAGES = 20;
/** Says nothing about what it is. */
const VAGUE_TYPES = new Set(['', 'application/json', 'application/octet-stream', 'text/plain']);

const ErrorBody = z.object({ errors: z.array(z.object({ code: z.string().optional(), message: z.string().optional() })).min(1) });
const ReferrersIndex = z.object({
  manifests: z.array(z.object({
    mediaType: z.string(), digest: BlobDigest, size: z.int().min(0), artifactType: z.string().optional(), annotations: z.record(z.string(), z.string()).nullish(),
  })),
});

export interface RemoteRegistryParts {
  dispatchers: Dispatchers;
  http: RegistryHttp;
  tokens: RegistryTokens;
}

type Query = { method?: 'GET' | 'HEAD'; headers?: Record<string, string> };

/** The pulling side of the OCI Distribution API, 1.1 and what came before. Every method throws REGISTRY_IMAGE_… and the signal's reason. */
export class RemoteRegistryClient {
  constructor(private readonly parts: RemoteRegistryParts) {}

  /** By tag or digest; its bytes have the digest that is answered. */
  async manifest(access: Access, reference: string, signal: AbortSignal): Promise<RemoteManifest> {
    const answer = await this.ask(access, `manifests/${reference}`, { headers: { accept: MANIFEST_TYPES.join(', ') } }, signal);
    if (answer.status !== 200) throw await refusal(access, answer, signal);
    const content = await readBody(answer, MANIFEST_MAX_BYTES, signal);
    const wanted = BlobDigest.safeParse(reference).data ?? BlobDigest.safeParse(fieldOf(answer, 'docker-content-digest')).data;
    const digest = digestOf(content, wanted?.startsWith('sha512:') ? 'sha512' : 'sha256');
    if (wanted && digest !== wanted) throw new WhorlError('REGISTRY_IMAGE_MISMATCH', `the manifest that should be ${wanted} is ${digest}`);
    return { digest, content, mediaType: typeOf(content, fieldOf(answer, 'content-type')) };
  }

  /** Whether the registry gives the blob, with that size. */
  async hasBlob(access: Access, { digest, bytes }: ImageBlob, signal: AbortSignal): Promise<boolean> {
    const answer = await this.ask(access, `blobs/${digest}`, { method: 'HEAD' }, signal);
    dropBody(answer);
    // A blob store that the registry sends us to may have an address that is good for GET alone: fetching it will tell.
    const isElsewhere = answer.url.origin !== this.parts.dispatchers.originOf(access.host).origin;
    if (answer.status === 404 || (isElsewhere && answer.status !== 200)) return false;
    if (answer.status !== 200) throw await refusal(access, answer, signal);
    const length = fieldOf(answer, 'content-length');
    return length === undefined || Number(length) === bytes;
  }

  /** The bytes of a blob, verified; see `blobStream`. Read them to the end, or end the loop. */
  blob(access: Access, blob: ImageBlob, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const open = async (offset: number): Promise<RegistryAnswer> => {
      const answer = await this.ask(access, `blobs/${blob.digest}`, offset === 0 ? {} : { headers: { range: `bytes=${offset}-` } }, signal);
      if (answer.status !== 200 && answer.status !== 206) throw await refusal(access, answer, signal);
      return answer;
    };
    return blobStream(blob, { open, wait: this.parts.http.wait }, signal);
  }

  /** What refers to a manifest (distribution-spec, listing referrers): by the API, else by the tag that stands for it. */
  async referrers(access: Access, digest: BlobDigest, signal: AbortSignal): Promise<Referrer[]> {
    const found: Referrer[] = [];
    let path: string | undefined = `referrers/${digest}`;
    for (let page = 0; path !== undefined && page < MAX_PAGES; page++) {
      const answer: RegistryAnswer = await this.ask(access, path, { headers: { accept: IMAGE_INDEX } }, signal);
      // Registries of before 1.1 know no such path, and some say so in their own way.
      const isKnown = answer.status === 200 && fieldOf(answer, 'content-type')?.split(';')[0]!.trim() === IMAGE_INDEX;
      if (!isKnown && page === 0 && answer.status < 500 && answer.status !== 401 && answer.status !== 403) {
        dropBody(answer);
        return this.taggedReferrers(access, digest, signal);
      }
      if (!isKnown) throw await refusal(access, answer, signal);
      found.push(...readReferrers(await readBody(answer, MANIFEST_MAX_BYTES, signal)));
      path = nextPage(access, answer);
    }
    return found;
  }

  private async taggedReferrers(access: Access, digest: BlobDigest, signal: AbortSignal): Promise<Referrer[]> {
    try {
      const { content } = await this.manifest(access, referrersTag(digest), signal);
      return readReferrers(content);
    } catch (error) {
      if (error instanceof WhorlError && error.code === 'REGISTRY_IMAGE_UNKNOWN') return [];
      throw error;
    }
  }

  /** Asks with what the registry is known to want, and once more with what it then asks for. */
  private async ask(access: Access, path: string, { method = 'GET', headers = {} }: Query, signal: AbortSignal): Promise<RegistryAnswer> {
    const { http, tokens, dispatchers } = this.parts;
    const origin = dispatchers.originOf(access.host);
    const url = new URL(`/v2/${access.repository}/${path}`, origin);
    const authorization = await tokens.find(access);
    const first = await http.send({ method, url, headers, authorization }, signal);
    // What a blob store asks for is not the registry's to ask.
    if (first.status !== 401 || first.url.origin !== origin.origin) return first;
    dropBody(first);
    return http.send({ method, url, headers, authorization: await tokens.answer(access, first, authorization, signal) }, signal);
  }
}

/** What an answer that is none of ours means; its own words with it. */
async function refusal({ host, repository }: Access, answer: RegistryAnswer, signal: AbortSignal): Promise<WhorlError> {
  const told = await readBody(answer, MAX_ERROR_BYTES, signal).then(messageOf, () => '');
  signal.throwIfAborted();
  const where = answer.url.host === host ? host : `${host} (at ${answer.url.host})`;
  const says = `${where} answers ${answer.status} for ${repository}${told && `: ${told}`}`;
  if (answer.status === 401 || answer.status === 403) return new WhorlError('REGISTRY_IMAGE_DENIED', says);
  return new WhorlError(answer.status === 404 ? 'REGISTRY_IMAGE_UNKNOWN' : 'REGISTRY_IMAGE_UNREACHABLE', says);
}

/** Of the specification's error body; another's text would tell what stands behind an address. */
function messageOf(body: Buffer): string {
  try {
    const [first] = ErrorBody.parse(JSON.parse(body.toString('utf8'))).errors;
    return (first!.message || first!.code || '').replace(/\p{Cc}/gu, ' ').slice(0, MAX_MESSAGE);
  } catch {
    return '';
  }
}

/** The document's own word goes with the header's (image-spec, `mediaType`): two meanings of the same bytes are nobody's to choose from. */
function typeOf(content: Buffer, contentType = ''): string {
  const told = contentType.split(';')[0]!.trim().toLowerCase();
  let declared: unknown;
  try {
    declared = (JSON.parse(content.toString('utf8')) as { mediaType?: unknown } | null)?.mediaType;
  } catch (error) {
    throw new WhorlError('REGISTRY_IMAGE_MISMATCH', 'what the registry has as its manifest is no JSON', { cause: error });
  }
  const known = VAGUE_TYPES.has(told) ? undefined : told;
  const mediaType = typeof declared === 'string' ? declared : known;
  if (known !== undefined && mediaType !== known) throw new WhorlError('REGISTRY_IMAGE_MISMATCH', `the registry says that the manifest is ${known}, the manifest itself ${mediaType}`);
  if (mediaType === undefined || !MANIFEST_TYPES.includes(mediaType)) throw new WhorlError('REGISTRY_IMAGE_UNSUPPORTED', `its manifest is ${mediaType ?? 'of no type'}, not one of ${MANIFEST_TYPES.join(', ')}`);
  return mediaType;
}

function readReferrers(content: Buffer): Referrer[] {
  try {
    return ReferrersIndex.parse(JSON.parse(content.toString('utf8'))).manifests.map(({ mediaType, digest, size, artifactType, annotations }) => ({ mediaType, digest, bytes: size, artifactType, annotations: annotations ?? undefined }));
  } catch (error) {
    throw new WhorlError('REGISTRY_IMAGE_MISMATCH', 'its list of referrers cannot be read', { cause: error });
  }
}

/** The tag that stands for the list where there is no API: at most 64 digits of the digest (distribution-spec, referrers tag schema). */
function referrersTag(digest: BlobDigest): string {
  const [algorithm, hex] = digest.split(':') as [string, string];
  return `${algorithm}-${hex.slice(0, 64)}`;
}

/** The rest of a list by its Link (RFC 8288), when that is a list of the same repository. */
function nextPage({ repository }: Access, answer: RegistryAnswer): string | undefined {
  const target = /<([^>]*)>\s*;\s*rel="?next"?/i.exec(fieldOf(answer, 'link') ?? '')?.[1];
  const url = target === undefined ? null : URL.parse(target, answer.url);
  const prefix = `/v2/${repository}/`;
  return url?.origin === answer.url.origin && url.pathname.startsWith(`${prefix}referrers/`) ? `${url.pathname.slice(prefix.length)}${url.search}` : undefined;
}
