import { LinkError } from '#engine/build/build-error.js';
import { isLabel } from '#engine/build/link/label.js';

/** The name of an import or export, read (Explainer.md, externname). `label` is that of the resource where the kind is an annotation. */
export interface ParsedName {
  kind: 'plain' | 'interface' | 'dependency' | 'constructor' | 'method' | 'static';
  label: string;
  /** Two names with the same key are not strongly unique (Explainer.md, Name Uniqueness). */
  key: string;
}

/** Longer names are refused: bindings and logs carry them. */
const MAX_NAME_LENGTH = 10_000;

/** First words are lower case; each part fits one alternative only, so that matching stays linear. */
const WORDS = '[a-z][a-z0-9]*(?:-[a-z0-9]+)*';
const PACKAGE = new RegExp(`^${WORDS}:${WORDS}$`);
/** A gated feature of the specification: more than one namespace, or interfaces inside interfaces. */
const NESTED = new RegExp(`^(?:(?:${WORDS}:){2,}${WORDS}(?:/[A-Za-z0-9-]+)+|${WORDS}:${WORDS}(?:/[A-Za-z0-9-]+){2,})$`);

const NUMBER = '(?:0|[1-9][0-9]*)';
const PRERELEASE = '(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)';
const BUILD = '[0-9A-Za-z-]+';
/** Semantic Versioning 2.0. */
const SEMVER = new RegExp(`^${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-${PRERELEASE}(?:\\.${PRERELEASE})*)?(?:\\+${BUILD}(?:\\.${BUILD})*)?$`);
/** The part of a version that decides on compatibility (Explainer.md, canonversion). */
const CANONICAL_VERSION = /^(?:[1-9][0-9]*|0\.[1-9][0-9]*|0\.0\.[1-9][0-9]*|0\.0\.0)$/;

/** Without its anchors, to stand inside other expressions. */
const SEMVER_TEXT = SEMVER.source.slice(1, -1);
const HASH = 'sha(?:256|384|512)-[A-Za-z0-9+/]+={0,2}(?:\\?[!-;=?-~]*)?';
const HASHES = ` *${HASH}(?: +${HASH})* *`;
const PATH = `(?:${WORDS}:)+${WORDS}(?:/${WORDS})*`;
const RANGE = `\\*|\\{(?:>=${SEMVER_TEXT}|<${SEMVER_TEXT}|>=${SEMVER_TEXT} <${SEMVER_TEXT})\\}`;
/**
 * Names of dependencies by package, address or content, which an earlier specification had and tools that compose components still
 * write.
 */
const FORMER = [
  new RegExp(`^unlocked-dep=<${PATH}(?:@(?:${RANGE}))?>$`),
  new RegExp(`^locked-dep=<${PATH}(?:@${SEMVER_TEXT})?>(?:,integrity=<${HASHES}>)?$`),
  new RegExp(`^url=<[^<>]*>(?:,integrity=<${HASHES}>)?$`),
  new RegExp(`^integrity=<${HASHES}>$`),
];

const ANNOTATION = /^\[(constructor|method|static)\](.*)$/s;

/**
 * Reads the name of an import or export. Throws `LinkError`: of the kind `unsupported` for names of gated features, else
 * `invalid`.
 */
export function parseExternName(name: string): ParsedName {
  if (name.length > MAX_NAME_LENGTH) throw new LinkError('limit', `${JSON.stringify(name.slice(0, 100))}…: a name is longer than ${MAX_NAME_LENGTH}`);
  const annotation = ANNOTATION.exec(name);
  if (annotation !== null) return annotated(name, annotation[1] as 'constructor' | 'method' | 'static', annotation[2]!);
  if (isLabel(name)) return { kind: 'plain', label: name, key: name.toLowerCase() };
  if (FORMER.some((form) => form.test(name))) return { kind: 'dependency', label: name, key: name };
  if (!isInterfaceName(name)) throw nested(name) ?? new LinkError('invalid', `${quote(name)} is not a name for an import or export`);
  return { kind: 'interface', label: name, key: name.toLowerCase() };
}

function annotated(name: string, kind: 'constructor' | 'method' | 'static', rest: string): ParsedName {
  const labels = kind === 'constructor' ? [rest] : rest.split('.');
  if (labels.length !== (kind === 'constructor' ? 1 : 2) || !labels.every(isLabel)) {
    throw new LinkError('invalid', `${quote(name)} is not a name for an import or export`);
  }
  const [label, member] = labels.map((part) => part.toLowerCase());
  const key = kind === 'constructor' ? `[constructor]${label}` : label === member ? label! : `${label}.${member}`;
  return { kind, label: labels[0]!, key };
}

/** Explainer.md, interfacename: `namespace:package/interface@version`. */
export function isInterfaceName(name: string): boolean {
  const at = name.indexOf('@');
  const path = at === -1 ? name : name.slice(0, at);
  const slash = path.indexOf('/');
  if (slash === -1 || !PACKAGE.test(path.slice(0, slash)) || !isLabel(path.slice(slash + 1))) return false;
  if (at === -1) return true;
  const version = name.slice(at + 1);
  return SEMVER.test(version) || CANONICAL_VERSION.test(version);
}

/** A version suffix belongs to a name that ends in the canonical part of the version. */
export function completesVersion(name: string, suffix: string): boolean {
  const version = name.slice(name.indexOf('@') + 1);
  return name.includes('@') && CANONICAL_VERSION.test(version) && SEMVER.test(version + suffix);
}

function nested(name: string): LinkError | null {
  if (!NESTED.test(name.split('@')[0]!)) return null;
  return new LinkError('unsupported', `${quote(name)}: nested namespaces and packages are not supported`);
}

function quote(name: string): string {
  return JSON.stringify(name);
}
