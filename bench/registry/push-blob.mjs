// One push of a file, in a process of its own, told on stdout: `node push-blob.mjs '{"way", "file", "blob", "folder" | "s3"}'`.
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Client } from 'minio';
import { BlobStorage } from '../../dist/registry/storage/blob-storage.js';
import { FolderDriver } from '../../dist/registry/storage/folder.driver.js';
import { S3Driver } from '../../dist/registry/storage/s3.driver.js';

const CHUNKS = 8;
const SAMPLE_MS = 2;

const { way, file, blob, folder, s3 } = JSON.parse(process.argv[2]);
const storage = new BlobStorage(folder ? await FolderDriver.open(folder) : new S3Driver(s3));
const client = s3 && new Client({ endPoint: '127.0.0.1', port: Number(new URL(s3.endpoint).port), useSSL: false, region: s3.region, accessKey: s3.accessKey, secretKey: s3.secretKey, partSize: 16 * 1024 * 1024 });
const read = (from = 0, to = blob.bytes) => createReadStream(file, { highWaterMark: 64 * 1024, start: from, end: to - 1 });

async function inChunks(chunks) {
  const id = randomUUID();
  for (let i = 0; i < chunks; i++) await storage.appendUpload(id, Math.floor((blob.bytes * i) / chunks), read(Math.floor((blob.bytes * i) / chunks), Math.floor((blob.bytes * (i + 1)) / chunks)));
  await storage.finishUpload(id, blob);
}

const WAYS = {
  /** What the disk does by itself: the same reads, written and synced. */
  'bare disk': async () => {
    const target = await open(join(folder, randomUUID()), 'wx');
    for await (const chunk of read()) await target.writeFile(chunk);
    await target.sync();
    await target.close();
  },
  'bare client': () => client.putObject(s3.bucket, 'bare', read(), blob.bytes),
  /** One request, its payload neither hashed nor cut. */
  'bare PUT': async () => {
    const url = await client.presignedPutObject(s3.bucket, 'bare', 60);
    const sent = request(url, { method: 'PUT', headers: { 'content-length': blob.bytes } });
    const answered = new Promise((resolve, reject) => sent.once('response', resolve).once('error', reject));
    await pipeline(read(), sent);
    const { statusCode } = await answered;
    if (statusCode !== 200) throw new Error(`status ${statusCode}`);
  },
  put: () => storage.put(blob, () => read()),
  upload: () => inChunks(1),
  'upload in chunks': () => inChunks(CHUNKS),
};

// What a process loads once is not the push's.
const tiny = { digest: 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', bytes: 0 };
await storage.put(tiny, async function* () {});
for await (const _ of read(0, 1024 * 1024));
globalThis.gc();
const before = process.memoryUsage.rss();
let peak = before;
const sampler = setInterval(() => { peak = Math.max(peak, process.memoryUsage.rss()); }, SAMPLE_MS);
const from = performance.now();
const cpu = process.cpuUsage();
await WAYS[way]();
const ms = performance.now() - from;
const { user, system } = process.cpuUsage(cpu);
clearInterval(sampler);
peak = Math.max(peak, process.memoryUsage.rss());
console.log(JSON.stringify({ ms, cpuMs: (user + system) / 1000, grownBytes: peak - before }));
await storage.delete(blob.digest);
if (client) await client.removeObject(s3.bucket, 'bare');
process.exit(0);
