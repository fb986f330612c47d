import { WhorlError } from '#contract/errors.js';
import { BlobDigest } from '#contract/ids.js';
import { Tag } from '#registry/repositories/reference.js';

/** Where an image lies, and which one it is. */
export interface ImageReference {
  /** Host and port of the registry; undefined: the built-in one. */
  host: string | undefined;
  repository: string;
  /** `latest` when neither tag nor digest was given. */
  tag: string | undefined;
  /** Goes before the tag, which then only says what people call it. */
  digest: BlobDigest | undefined;
}

const MAX_LENGTH = 4096;
/** Docker Hub, by the names that people know it by. */
const DOCKER_HUB = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

// distribution-spec 1.1, "Pulling manifests"; hosts as in distribution/reference.
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const LABEL = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;
const BRACKETED = /^\[[0-9A-Fa-f:.]+\]$/;
const MAX_NAME = 255;

/**
 * Reads `[host[:port]/]repository[:tag][@digest]`. What stands before the first slash is a host when it has a dot or a port, or is
 * `localhost`; without a host it is the built-in registry's. `docker.io/nginx` means `docker.io/library/nginx`, as everywhere.
 * Throws REGISTRY_IMAGE_REFERENCE_INVALID, which says what is wrong with which part.
 */
export function parseReference(text: string): ImageReference {
  const refuse = (why: string): never => {
    throw new WhorlError('REGISTRY_IMAGE_REFERENCE_INVALID', `${JSON.stringify(text.slice(0, MAX_NAME))} is no image reference: ${why}`);
  };
  if (text.length > MAX_LENGTH) refuse('it is too long');
  if (text.includes('://')) refuse('it starts with a scheme; leave that out');
  const [named, digestText, ...more] = text.split('@');
  if (more.length > 0) refuse('it has more than one "@"');
  const digest = digestText === undefined ? undefined : BlobDigest.safeParse(digestText).data;
  if (digestText !== undefined && digest === undefined) refuse(`"${digestText}" is no digest (sha256:<64 hex digits> or sha512:<128>)`);
  const { host, rest } = splitHost(named!);
  if (host !== undefined && !isHost(host)) refuse(`"${host}" is no host with an optional port`);
  const colon = rest.indexOf(':');
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  if (tag !== undefined && !Tag.safeParse(tag).success) refuse(`"${tag}" is no tag (letters, digits, "_", ".", "-", at most 128)`);
  const path = colon < 0 ? rest : rest.slice(0, colon);
  if (path === '') refuse('it has no repository');
  const wrong = path.split('/').find((component) => !COMPONENT.test(component));
  if (wrong !== undefined) refuse(`"${wrong}" is no part of a repository's name (lower-case letters and digits, inside also ".", "_", "-")`);
  const hub = host !== undefined && DOCKER_HUB.has(host);
  const repository = hub && !path.includes('/') ? `library/${path}` : path;
  if ((host ?? '').length + repository.length > MAX_NAME) refuse(`host and repository have more than ${MAX_NAME} characters`);
  return { host: hub ? 'docker.io' : host, repository, tag: tag ?? (digest === undefined ? 'latest' : undefined), digest };
}

/** The reference in full, as `parseReference` reads it. */
export function formatReference({ host, repository, tag, digest }: ImageReference): string {
  return `${host === undefined ? '' : `${host}/`}${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

function splitHost(named: string): { host: string | undefined; rest: string } {
  const slash = named.indexOf('/');
  const first = named.slice(0, Math.max(slash, 0));
  const isFirstHost = slash > 0 && (first.includes('.') || first.includes(':') || first.toLowerCase() === 'localhost');
  return isFirstHost ? { host: first.toLowerCase(), rest: named.slice(slash + 1) } : { host: undefined, rest: named };
}

function isHost(host: string): boolean {
  const [, name, port] = /^(.*?)(?::(\d{1,5}))?$/.exec(host)!;
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return false;
  if (BRACKETED.test(name!)) return URL.canParse(`http://${name}`);
  return name!.split('.').every((label) => LABEL.test(label)) && URL.canParse(`http://${name}`);
}
