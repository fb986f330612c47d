import { type BundleContent, ComponentFiles } from './component-files.js';
import { type RemoteSource, SourceLocks } from './lock-sources.js';
import { LockedApp, type LockedComponent } from './locked-app.js';
import type { Manifest } from './manifest.js';
import { type ManifestWarning, Problems } from './problems.js';

export interface Lock {
  /** `sourceBytes` of a component or dependency with a remote source is 0: only who fetches it knows. */
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
  const sources = new SourceLocks(bundle, manifest.allComponents, problems);
  const components = manifest.components.map((component): LockedComponent => {
    const { id, source, description, variables, environment, allowedOutboundHosts, keyValueStores, sqliteDatabases, aiModels, limits, reuse } = component;
    const { digest, bytes } = sources.locate(source, { component: id, at: [...component.at, 'source'], what: `component "${id}"` });
    const dependencies = sources.lockDependencies(component);
    return {
      id, ...(description !== undefined && { description }), source: digest, sourceBytes: bytes, environment, files: files.resolve(component),
      variables, allowedOutboundHosts, keyValueStores, sqliteDatabases, aiModels, limits,
      ...(reuse && { reuse }),
      ...(dependencies.length > 0 && { dependencies }),
    };
  });
  files.checkCost();
  problems.throwIfAny();
  const app = LockedApp.parse({ ...manifest.application, variables: manifest.variables, triggers: manifest.triggers, components });
  return { app, remoteSources: sources.remote, warnings: [...manifest.warnings, ...problems.warnings] };
}
