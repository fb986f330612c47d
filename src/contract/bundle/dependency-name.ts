import { checkKebabId } from './identifiers.js';

/** The name of a dependency, read: `a:b`, `a:b@1.0.0`, `a:b/c`, `a:b/c@1.0.0`; a plain name has a package of its own name and nothing else. */
export interface DependencyName {
  package: string;
  interface: string | null;
  version: string | null;
  isPlain: boolean;
}

const NUMBER = '(?:0|[1-9][0-9]*)';
const IDENTIFIERS = '[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*';
/** Semantic Versioning 2.0. */
const VERSION = new RegExp(`^(${NUMBER})\\.(${NUMBER})\\.(${NUMBER})(-${IDENTIFIERS})?(?:\\+${IDENTIFIERS})?$`);
const PACKAGE = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*:[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;
const MAX_LENGTH = 500;

/** Reads the name of a dependency, or says why it is none (Spin's manifest). */
export function parseDependencyName(name: string): DependencyName | { refused: string } {
  if (name.length > MAX_LENGTH) return { refused: `must not be longer than ${MAX_LENGTH} characters` };
  if (!/[:/]/.test(name)) {
    const refused = checkKebabId(name);
    return refused === undefined ? { package: name, interface: null, version: null, isPlain: true } : { refused };
  }
  const [, pkg = '', iface = null, version = null] = /^([^/@]*)(?:\/([^@]*))?(?:@(.*))?$/s.exec(name) ?? [];
  if (!PACKAGE.test(pkg)) return { refused: 'expected a package such as "a:b", an interface such as "a:b/c", either with a version such as "@1.0.0", or a plain name' };
  if (iface !== null) {
    const problem = checkKebabId(iface);
    if (problem !== undefined) return { refused: `the interface "${iface}": ${problem}` };
  }
  if (version !== null && !VERSION.test(version)) return { refused: `"${version}" is no version such as 1.0.0` };
  return { package: pkg, interface: iface, version, isPlain: false };
}

/** Whether some import could be matched by both: neither interfaces nor lines of compatible versions keep them apart (Spin's manifest). */
export function overlap(one: DependencyName, other: DependencyName): boolean {
  if (one.isPlain || other.isPlain || one.package !== other.package) return false;
  if (one.version !== null && other.version !== null && versionLine(one.version) !== versionLine(other.version)) return false;
  return one.interface === null || other.interface === null || one.interface === other.interface;
}

function versionLine(version: string): string {
  const [, major, minor, patch, pre] = VERSION.exec(version)!;
  if (pre !== undefined) return `${major}.${minor}.${patch}${pre}`;
  if (major !== '0') return `${major}`;
  return minor === '0' ? `0.0.${patch}` : `0.${minor}`;
}
