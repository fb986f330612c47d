import { checkEntryPath } from './entry-path.js';
import { DEFAULT_BUNDLE_LIMITS } from './limits.js';
import type { Problems } from './problems.js';
import type { RawSource } from './schema-component.js';
import type { TomlPath } from './toml.js';

/** Where the bytes of a component are: in the bundle, or to be fetched. */
export type SourcePlace = { path: string } | { url: string; digest: string };

/** Checks the path or URL of a component's bytes. */
export function checkSource(source: RawSource, at: TomlPath, problems: Problems): SourcePlace {
  if (typeof source === 'string') {
    const checked = checkEntryPath(source, DEFAULT_BUNDLE_LIMITS.pathBytes);
    if ('refused' in checked) problems.invalid(at, `${JSON.stringify(source)}: ${checked.refused}`);
    return { path: 'path' in checked ? checked.path : source };
  }
  // A source from a package registry was refused when it was read.
  if ('package' in source) return { path: '' };
  const url = URL.parse(source.url);
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:')) problems.invalid([...at, 'url'], `${JSON.stringify(source.url)} is no http(s) URL`);
  else if (url.username !== '' || url.password !== '') problems.invalid([...at, 'url'], 'must not hold a user name or password');
  return source;
}
