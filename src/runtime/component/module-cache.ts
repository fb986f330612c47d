import { createHash } from 'node:crypto';
import { WhorlError } from '#contract/errors.js';
import type { Digest } from '#contract/ids.js';
import { checkDigest, unreadableBlob } from './corrupt-blob.js';
import { readBlob } from './read-blob.js';

/**
 * Compiled modules of this process by the digest of their bytes: versions of an app mostly share them. Held weakly, so a module goes
 * when the last version that uses it is released.
 */
export class ModuleCache {
  private readonly modules = new Map<Digest, WeakRef<WebAssembly.Module>>();
  private readonly gone = new FinalizationRegistry<Digest>((digest) => {
    if (!this.modules.get(digest)?.deref()) this.modules.delete(digest);
  });
  private readonly pending = new Map<Digest, Promise<WebAssembly.Module>>();

  constructor(private readonly blobPath: (digest: Digest) => string) {}

  /** Throws NODE_BLOB_CORRUPT, or COMPONENT_COMPILE_FAILED. */
  async module(digest: Digest): Promise<WebAssembly.Module> {
    const known = this.modules.get(digest)?.deref();
    if (known) return known;
    const running = this.pending.get(digest);
    if (running) return running;
    const compiling = this.compile(digest).finally(() => this.pending.delete(digest));
    this.pending.set(digest, compiling);
    return compiling;
  }

  /** Bytes of a blob, compared with its digest. Throws NODE_BLOB_CORRUPT. */
  async bytes(digest: Digest): Promise<Buffer> {
    const bytes = await this.read(digest);
    check(bytes, digest);
    return bytes;
  }

  private async read(digest: Digest): Promise<Buffer> {
    return readBlob(this.blobPath(digest)).catch((cause: unknown) => {
      throw unreadableBlob(digest, cause);
    });
  }

  private async compile(digest: Digest): Promise<WebAssembly.Module> {
    const bytes = await this.read(digest);
    // V8 looks at the code on threads of its own; meanwhile this one has time for the digest.
    const compiling = WebAssembly.compile(bytes);
    compiling.catch(() => {});
    check(bytes, digest);
    try {
      const module = await compiling;
      this.modules.set(digest, new WeakRef(module));
      this.gone.register(module, digest);
      return module;
    } catch (cause) {
      throw new WhorlError('COMPONENT_COMPILE_FAILED', (cause as Error).message, { cause });
    }
  }
}

function check(bytes: Buffer, digest: Digest): void {
  checkDigest(digest, createHash('sha256').update(bytes).digest('hex'));
}
