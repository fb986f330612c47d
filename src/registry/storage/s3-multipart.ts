import type { Client } from 'minio';
import type { StoredPart } from './storage-driver.js';

/** An object of which one part after the other is sent, or copied within the store; it is there when all are. */
export class S3Multipart {
  private readonly parts: { part: number; etag: string }[] = [];

  private constructor(private readonly target: { client: Client; bucket: string; key: string; uploadID: string }) {}

  /** Runs `fill`, then makes the object. When that fails there is none. */
  static async make(client: Client, bucket: string, key: string, fill: (upload: S3Multipart) => Promise<void>): Promise<string> {
    const uploadID = await client.initiateNewMultipartUpload(bucket, key, { 'Content-Type': 'application/octet-stream' });
    try {
      const upload = new S3Multipart({ client, bucket, key, uploadID });
      await fill(upload);
      return (await client.completeMultipartUpload(bucket, key, uploadID, upload.parts)).etag;
    } catch (error) {
      // What is wrong is said by the first error; parts that stay behind are seen by nobody, and swept.
      await client.abortMultipartUpload(bucket, key, uploadID).catch(() => {});
      throw error;
    }
  }

  async add(content: Buffer): Promise<void> {
    await this.send({}, content);
  }

  /** Fails when the part is another one by now. */
  async copy(part: StoredPart): Promise<void> {
    await this.send(this.sourceOf(part));
  }

  async copyInRanges(source: StoredPart, rangeBytes: number): Promise<void> {
    for (let at = 0; at < source.bytes; at += rangeBytes) {
      await this.send({ ...this.sourceOf(source), 'x-amz-copy-source-range': `bytes=${at}-${Math.min(at + rangeBytes, source.bytes) - 1}` });
    }
  }

  private sourceOf({ key, tag }: StoredPart): Record<string, string> {
    return { 'x-amz-copy-source': `/${this.target.bucket}/${key}`, 'x-amz-copy-source-if-match': `"${tag}"` };
  }

  private async send(headers: Record<string, string>, content?: Buffer): Promise<void> {
    const { client, bucket, key, uploadID } = this.target;
    const partNumber = this.parts.length + 1;
    const { etag } = await client.uploadPart({ bucketName: bucket, objectName: key, uploadID, partNumber, headers }, content);
    this.parts.push({ part: partNumber, etag });
  }
}
