/** What came of a batch: one result for each item, in their order. */
type TakeBatch<Item, Result> = (items: readonly Item[]) => Promise<readonly Result[]>;

/** Collects what comes within a moment and has it taken at once: many small statements become few. */
export class Batcher<Item, Result> {
  private waiting: { item: Item; settled: PromiseWithResolvers<Result> }[] = [];

  /** @param collectMs how long the first of a batch waits for others */
  constructor(private readonly takeBatch: TakeBatch<Item, Result>, private readonly collectMs: number, private readonly maxItems: number) {}

  /** Rejects as the batch does. */
  take(item: Item): Promise<Result> {
    const settled = Promise.withResolvers<Result>();
    this.waiting.push({ item, settled });
    if (this.waiting.length >= this.maxItems) void this.flush();
    else if (this.waiting.length === 1) setTimeout(() => void this.flush(), this.collectMs);
    return settled.promise;
  }

  private async flush(): Promise<void> {
    const batch = this.waiting;
    this.waiting = [];
    if (batch.length === 0) return;
    try {
      const results = await this.takeBatch(batch.map(({ item }) => item));
      batch.forEach(({ settled }, index) => settled.resolve(results[index]!));
    } catch (error) {
      for (const { settled } of batch) settled.reject(error);
    }
  }
}
