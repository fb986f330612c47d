import type { Readable } from 'node:stream';
import { type ByteRange, StorageDriver, type StoredObject, type StoredPart } from '#registry/storage/storage-driver.js';

const DAYS_MS = 3 * 24 * 60 * 60_000;

/** A driver in which a test can make objects old: what is made or touched afterwards is new again. */
export class AgeingDriver extends StorageDriver {
  private readonly old = new Set<string>();
  /** Called when an object was touched, before the toucher knows. */
  afterTouch: (key: string) => Promise<void> = async () => {};

  constructor(private readonly driver: StorageDriver) {
    super();
  }

  get partBytes(): number {
    return this.driver.partBytes;
  }

  /** Everything that is there now was made days ago. */
  async age(prefix = 'v1/'): Promise<void> {
    for await (const { key } of this.driver.list(prefix)) this.old.add(key);
  }

  async create(key: string, content: AsyncIterable<Uint8Array>): Promise<StoredPart | undefined> {
    // Asked for by who found nothing, so that what is there when this ends is new, whoever made it. Before the request: somebody who finds the
    // new object before this is told of it must not take it for an old one.
    this.old.delete(key);
    return this.driver.create(key, content);
  }

  async compose(key: string, parts: readonly StoredPart[]): Promise<void> {
    this.old.delete(key);
    await this.driver.compose(key, parts);
  }

  read(key: string, range?: ByteRange): Promise<{ bytes: number; content: Readable } | undefined> {
    return this.driver.read(key, range);
  }

  async find(key: string): Promise<StoredObject | undefined> {
    const found = await this.driver.find(key);
    return found && this.aged(found);
  }

  async *list(prefix: string): AsyncGenerator<StoredObject> {
    for await (const found of this.driver.list(prefix)) yield this.aged(found);
  }

  async touch(key: string): Promise<boolean> {
    const touched = await this.driver.touch(key);
    if (touched) this.old.delete(key);
    await this.afterTouch(key);
    return touched;
  }

  /** What was found just before it was deleted was old, even when the answer comes later. */
  async delete(key: string): Promise<void> {
    await this.driver.delete(key);
  }

  presign(key: string, expiresMs: number): Promise<string | undefined> {
    return this.driver.presign(key, expiresMs);
  }

  sweep(beforeMs: number): Promise<number> {
    return this.driver.sweep(beforeMs);
  }

  check(): Promise<void> {
    return this.driver.check();
  }

  private aged(found: StoredObject): StoredObject {
    return this.old.has(found.key) ? { ...found, modifiedMs: found.modifiedMs - DAYS_MS } : found;
  }
}
