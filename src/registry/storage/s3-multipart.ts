import type { Client } from 'minio';
import { InFlight } from './in-flight.js';
import type { StoredPart } from './storage-driver.js';

/** The store writes one part while the next one is on its way; each is held in memory. */
const SENT_AT_ONCE = 2;
/** Copies cost nothing here. */
const COPIED_AT_ONCE = 4;

/** An object whose parts are sent, or copied within the store; it is there when all are. */
export class S3Multipart {
  private readonly parts: { part: number; etag: string }[] = [];
  private readonly sending = new InFlight();
  private begun = 0;

  private constructor(private readonly target: { client: Client; bucket: string; key: string; uploadID: string }) {}

  /** Runs `fill`, then makes the object. When that fails there is none. */
  static async make(client: Client, bucket: string, key: string, fill: (upload: S3Multipart) => Promise<void>): Promise<void> {
    const uploadID = await client.initiateNewMultipartUpload(bucket, key, { 'Content-Type': 'application/octet-stream' });
    const upload = new S3Multipart({ client, bucket, key, uploadID });
    try {
      await fill(upload);
      await upload.sending.end();
      await client.completeMultipartUpload(bucket, key, uploadID, upload.parts.sort((a, b) => a.part - b.part));
    } catch (error) {
      // A part that arrived after the end would stay.
      await upload.sending.end().catch(() => {});
      // What is wrong is said by the first error; parts that stay behind are seen by nobody, and swept.
      await client.abortMultipartUpload(bucket, key, uploadID).catch(() => {});
      throw error;
    }
  }

  /** May return before the part is sent; `sent` is called when its bytes are needed no more. */
  async add(content: Buffer, sent: () => void = () => {}): Promise<void> {
    await this.next(SENT_AT_ONCE, async (part) => {
      await this.send(part, {}, content);
      sent();
    });
  }

  /** May return before the part is copied. Fails when it is another one by now, in a store that looks at conditions. */
  async copy(source: () => Promise<StoredPart>): Promise<void> {
    await this.next(COPIED_AT_ONCE, async (part) => this.send(part, this.sourceOf(await source())));
  }

  async copyInRanges(source: StoredPart, rangeBytes: number): Promise<void> {
    for (let at = 0; at < source.bytes; at += rangeBytes) {
      const range = { 'x-amz-copy-source-range': `bytes=${at}-${Math.min(at + rangeBytes, source.bytes) - 1}` };
      await this.next(COPIED_AT_ONCE, (part) => this.send(part, { ...this.sourceOf(source), ...range }));
    }
  }

  private sourceOf({ key, tag }: StoredPart): Record<string, string> {
    return { 'x-amz-copy-source': `/${this.target.bucket}/${key}`, 'x-amz-copy-source-if-match': `"${tag}"` };
  }

  private async next(most: number, action: (part: number) => Promise<void>): Promise<void> {
    const part = (this.begun += 1);
    await this.sending.start(most, () => action(part));
  }

  private async send(part: number, headers: Record<string, string>, content?: Buffer): Promise<void> {
    const { client, bucket, key, uploadID } = this.target;
    const { etag } = await client.uploadPart({ bucketName: bucket, objectName: key, uploadID, partNumber: part, headers }, content);
    this.parts.push({ part, etag });
  }
}
