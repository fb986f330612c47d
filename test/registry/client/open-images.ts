import { openRemoteImages, type RemoteImages, type RemoteImagesOptions } from '#registry/client/remote-images.factory.js';
import type { RemoteImageSource } from '#registry/client/remote-image-source.js';

/** Opens image sources for one spec, with options of its own for each; nothing is allowed that is not said, and nobody waits. */
export class ImageSources {
  /** How long was to be waited. */
  readonly waits: number[] = [];
  private readonly opened: RemoteImages[] = [];

  async open(options: Partial<RemoteImagesOptions> = {}): Promise<RemoteImageSource> {
    const images = await openRemoteImages({
      allowPrivate: false, privateHosts: [], insecureOrigins: [], proxy: undefined, noProxy: '', authFile: undefined, caFile: undefined,
      wait: async (delayMs) => void this.waits.push(delayMs), ...options,
    });
    this.opened.push(images);
    return images.source;
  }

  async close(): Promise<void> {
    await Promise.all(this.opened.splice(0).map((images) => images.close()));
  }
}
