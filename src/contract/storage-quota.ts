/** What an organisation has in the store, in bytes; what it has several times counts once. */
export interface HeldBytes {
  versions: number;
  repositories: number;
  /** Files of uploads that are not finished. */
  uploads: number;
  /** All together; what two of them hold counts once here. */
  total: number;
}

/** How much an organisation may keep in the store; `src/bin/` binds the registry's. Builds that the platform makes do not count. */
export abstract class StorageQuota {
  /** null: no bound. */
  abstract readonly limitBytes: number | null;
  abstract held(org: string): Promise<HeldBytes>;
  /**
   * To be called before bytes are taken that the organisation does not have yet, with their declared number; for streamed ones with what
   * has come, as soon as more is there. They count from then on; `isAnnounced`: they will be asked for again when they have come. Throws
   * REGISTRY_QUOTA_EXCEEDED when they do not fit; its message has the figures.
   */
  abstract require(org: string, bytes: number, options?: { isAnnounced?: boolean }): Promise<void>;
}
