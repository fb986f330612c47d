import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { WhorlError } from '#contract/errors.js';
import { type ByteRange, StorageDriver, type StoredObject, type StoredPart } from './storage-driver.js';

/** Objects in memory, for tests that are about something else. */
export class MemoryDriver extends StorageDriver {
  /** Small, so that tests of what is made of parts need few bytes. */
  readonly partBytes = 1024 * 1024;
  private readonly objects = new Map<string, { content: Buffer; tag: string; modifiedMs: number }>();
  private made = 0;

  async create(key: string, content: AsyncIterable<Uint8Array>): Promise<StoredPart | undefined> {
    const whole = await buffer(content);
    if (this.objects.has(key)) return undefined;
    const tag = String((this.made += 1));
    this.objects.set(key, { content: whole, tag, modifiedMs: Date.now() });
    return { key, bytes: whole.length, tag };
  }

  async compose(key: string, parts: readonly StoredPart[]): Promise<void> {
    const contents = parts.map((part) => {
      const found = this.objects.get(part.key);
      if (found?.tag !== part.tag) throw new WhorlError('REGISTRY_UPLOAD_CONFLICT', `${part.key} is not what it was`);
      return found.content;
    });
    await this.create(key, Readable.from([Buffer.concat(contents)]));
  }

  async read(key: string, { offset, bytes }: ByteRange = { offset: 0 }): Promise<{ bytes: number; content: Readable } | undefined> {
    const found = this.objects.get(key)?.content;
    return found && { bytes: found.length, content: Readable.from([found.subarray(offset, bytes === undefined ? undefined : offset + bytes)], { objectMode: false }) };
  }

  async find(key: string): Promise<StoredObject | undefined> {
    const found = this.objects.get(key);
    return found && { key, bytes: found.content.length, tag: found.tag, modifiedMs: found.modifiedMs };
  }

  async *list(prefix: string): AsyncGenerator<StoredObject> {
    for (const key of [...this.objects.keys()].sort()) {
      const found = key.startsWith(prefix) ? await this.find(key) : undefined;
      if (found) yield found;
    }
  }

  async touch(key: string): Promise<boolean> {
    const found = this.objects.get(key);
    if (found) found.modifiedMs = Date.now();
    return found !== undefined;
  }

  async delete(key: string): Promise<void> {
    this.objects.delete(key);
  }

  async presign(): Promise<undefined> {}

  async sweep(): Promise<number> {
    return 0;
  }

  async check(): Promise<void> {}
}
