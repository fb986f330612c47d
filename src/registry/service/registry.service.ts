import type { ComponentBuild } from '#contract/artifact.js';
import type { LockedApp } from '#contract/bundle/locked-app.js';
import { DEFAULT_ORG } from '#contract/ids.js';
import { type ImageOptions, type IngestedBundle, type IngestedImage, type PushedTag, Registry } from '#contract/registry.js';
import { ENGINE_VERSION } from '#engine/plan.js';
import type { PushedTagRepository } from '#registry/repositories/pushed-tag.repository.js';
import type { RepositoriesService } from '#registry/repositories/repositories.service.js';
import type { BlobStorage } from '#registry/storage/blob-storage.js';
import type { ImageVerifier } from '#registry/trust/image-verifier.js';
import type { BundleIntake } from './bundle-intake.js';
import type { ImageIntake } from './image-intake.js';
import type { Intake, Push } from './intake.js';
import { withinPushTime } from './push-time.js';
import type { WorkFolder } from './work-folder.js';

export interface RegistryParts {
  storage: BlobStorage;
  work: WorkFolder;
  intake: Intake;
  bundles: BundleIntake;
  images: ImageIntake;
  repositories: RepositoriesService;
  tags: PushedTagRepository;
  verifier: ImageVerifier;
}

/** The registry as the API sees it: takes in what was pushed, whichever way it came. */
export class RegistryService extends Registry {
  readonly engine = ENGINE_VERSION;

  constructor(private readonly parts: RegistryParts) {
    super();
  }

  ingest(body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<IngestedBundle> {
    return this.push(signal, (push) => this.parts.bundles.take(body, push));
  }

  ingestImage(reference: string, options: ImageOptions, signal: AbortSignal): Promise<IngestedImage> {
    return this.push(signal, (push) => this.parts.images.take(reference, options, push));
  }

  pushedTags(since: Date, app?: string): Promise<PushedTag[]> {
    return this.parts.tags.pushedSince(since, app);
  }

  onTagPush(listener: (app: string) => void): () => void {
    return this.parts.repositories.onPush(({ repository }) => {
      if (repository.org === DEFAULT_ORG) listener(repository.name);
    });
  }

  rebuild(app: LockedApp, signal: AbortSignal): Promise<Record<string, ComponentBuild>> {
    return this.push(signal, (push) => this.parts.intake.rebuild(app, push));
  }

  checkUnsigned(app: string): Promise<string | undefined> {
    return this.parts.verifier.checkUnsigned(app);
  }

  async check(): Promise<void> {
    await this.parts.storage.check();
  }

  private push<T>(signal: AbortSignal, take: (push: Push) => Promise<T>): Promise<T> {
    return withinPushTime(signal, (limited) => this.parts.work.with((folder) => take({ folder, located: new Map(), signal: limited })));
  }
}
