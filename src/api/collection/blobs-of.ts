import type { LockedApp } from '#contract/bundle/locked-app.js';
import { allDependencies } from '#contract/bundle/locked-dependency.js';
import type { BlobBytes } from '#contract/file-uploads.js';

/** What was pushed of an app, each blob once: components, their dependencies, files. */
export function blobsOf(app: LockedApp): BlobBytes[] {
  const blobs = new Map<string, BlobBytes>();
  const add = (digest: BlobBytes['digest'], bytes: number): void => void blobs.set(digest, { digest, bytes });
  for (const component of app.components) {
    for (const { source, sourceBytes } of [component, ...allDependencies(component.dependencies)]) add(source, sourceBytes);
    for (const { digest, bytes } of component.files) add(digest, bytes);
  }
  return [...blobs.values()];
}
