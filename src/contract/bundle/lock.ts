import { Digest } from '#contract/ids.js';
import type { ManifestComponent } from './check-component.js';
import { type BundleContent, ComponentFiles } from './component-files.js';
import { LockedApp, type LockedComponent } from './locked-app.js';
import type { Manifest } from './manifest.js';
import { type ManifestWarning, Problems } from './problems.js';

/** A component's source that is not in the bundle. */
export interface RemoteSource {
  component: string;
  url: string;
  digest: Digest;
}

export interface Lock {
  /** `sourceBytes` of a component with a remote source is 0: only who fetches it knows. */
  app: LockedApp;
  remoteSources: RemoteSource[];
  warnings: ManifestWarning[];
}

/**
 * Resolves what the manifest names against what the bundle holds: every source and file becomes a digest. Talks to no network. Throws
 * BUNDLE_FILE_MISSING or BUNDLE_MANIFEST_INVALID, naming key and line.
 */
export function lockApp(manifest: Manifest, bundle: BundleContent): Lock {
  const problems = new Problems(manifest.document);
  const files = new ComponentFiles(bundle, problems);
  const remoteSources: RemoteSource[] = [];
  const components = manifest.components.map((component): LockedComponent => {
    const { id, source, description, variables, environment, allowedOutboundHosts, keyValueStores, sqliteDatabases, aiModels, limits } = component;
    if ('url' in source) remoteSources.push({ component: id, url: source.url, digest: Digest.parse(source.digest) });
    const { digest, bytes } = 'url' in source ? { digest: Digest.parse(source.digest), bytes: 0 } : findSource(component, source.path, bundle, problems);
    return {
      id, ...(description !== undefined && { description }), source: digest, sourceBytes: bytes, environment, files: files.resolve(component),
      variables, allowedOutboundHosts, keyValueStores, sqliteDatabases, aiModels, limits,
    };
  });
  files.checkCost();
  problems.throwIfAny();
  const app = LockedApp.parse({ ...manifest.application, variables: manifest.variables, triggers: manifest.triggers, components });
  return { app, remoteSources, warnings: [...manifest.warnings, ...problems.warnings] };
}

const NOWHERE = { digest: Digest.parse(`sha256:${'0'.repeat(64)}`), bytes: 0 };

/** What is given back for a missing file is never seen: the problem is thrown. */
function findSource(component: ManifestComponent, path: string, bundle: BundleContent, problems: Problems): { digest: Digest; bytes: number } {
  const file = bundle.entries.get(path);
  if (!file) problems.missing([...component.at, 'source'], `there is no file "${path}" in the bundle for component "${component.id}"${bundle.folders.has(path) ? ' (it is a folder)' : ''}`);
  return file ?? NOWHERE;
}
