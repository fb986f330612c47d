import { WhorlError } from '#contract/errors.js';
import { type HeldBytes, StorageQuota } from '#contract/storage-quota.js';
import type { HeldBytesRepository } from './held-bytes.repository.js';

/** Adding everything up takes a while for a large organisation: in between, what was let in is added to the last sum. */
const LOOK_AGAIN_MS = 2_000;

interface Looked {
  bytes: number;
  readonly atMs: number;
}

export class QuotaService extends StorageQuota {
  private readonly looked = new Map<string, Looked>();

  /** @param clock milliseconds that only grow */
  constructor(
    private readonly repository: Pick<HeldBytesRepository, 'of'>,
    readonly limitBytes: number | null,
    private readonly clock: () => number = () => performance.now(),
  ) {
    super();
  }

  held(org: string): Promise<HeldBytes> {
    return this.repository.of(org);
  }

  async require(org: string, bytes: number, { isAnnounced = false } = {}): Promise<void> {
    if (this.limitBytes === null || bytes <= 0) return;
    const looked = await this.look(org);
    if (looked.bytes + bytes > this.limitBytes) {
      throw new WhorlError('REGISTRY_QUOTA_EXCEEDED', `${org} keeps ${looked.bytes} of ${this.limitBytes} bytes; ${bytes} more do not fit`);
    }
    if (!isAnnounced) looked.bytes += bytes;
  }

  private async look(org: string): Promise<Looked> {
    const before = this.looked.get(org);
    if (before && this.clock() - before.atMs < LOOK_AGAIN_MS) return before;
    const looked = { bytes: (await this.repository.of(org)).total, atMs: this.clock() };
    this.looked.set(org, looked);
    return looked;
  }
}
