import { pipeline } from 'node:stream/promises';
import { Controller, Get, Req, Res } from '@nestjs/common';
import type { Response } from 'express';
import { z } from 'zod';
import { Digest } from '#contract/ids.js';
import { NODE_ROUTES } from '#contract/node-routes.js';
import type { ApiRequest } from '#platform/http/api-request.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { type InputOf, endpoint } from '#platform/http/endpoint.js';
import { BlobStorage } from '#registry/storage/blob-storage.js';

const GetBlob = endpoint({
  summary: 'Fetch immutable bytes by digest',
  description: 'What a node needs to run a version: files of apps, plans, rewritten modules. The node checks the digest itself.',
  tag: 'registry',
  params: z.object({ digest: Digest }),
  responses: {
    200: { description: 'The bytes.', body: z.string(), contentType: 'application/octet-stream' },
    307: { description: 'They are at `Location`, for some minutes and without a token: where nodes may read from the object store itself (WHORL_S3_PRESIGN_ENDPOINT).', body: null },
    304: { description: 'If-None-Match names the digest.', body: null },
  },
  errors: ['REGISTRY_BLOB_UNKNOWN', 'REGISTRY_STORAGE_UNAVAILABLE'],
  scopes: ['node'],
});

@Controller()
export class BlobsController {
  constructor(private readonly storage: BlobStorage) {}

  @Get(NODE_ROUTES.blob.path)
  @Endpoint(GetBlob)
  async get(@Input() { params: { digest } }: InputOf<typeof GetBlob>, @Req() request: ApiRequest, @Res() response: Response): Promise<void> {
    const etag = `"${digest}"`;
    const headers = { ETag: etag, 'Cache-Control': 'private, max-age=31536000, immutable' };
    if (request.get('if-none-match')?.includes(etag)) {
      response.status(304).set(headers).end();
      return;
    }
    const location = await this.elsewhere(digest);
    if (location !== undefined) {
      response.status(307).set({ Location: location, 'Cache-Control': 'no-store' }).end();
      return;
    }
    const { bytes, content } = await this.storage.get(digest);
    response.status(200).set({ ...headers, 'Content-Type': 'application/octet-stream', 'Content-Length': String(bytes) });
    // Once bytes are on their way, a failure can only be told by ending the connection: the node sees too few bytes and asks again.
    await pipeline(content, response).catch(() => response.destroy());
  }

  /** Where the node can read the blob itself. One that is not there is said to be unknown here, and not by the store. */
  private async elsewhere(digest: Digest): Promise<string | undefined> {
    const location = await this.storage.presign(digest);
    return location !== undefined && (await this.storage.find(digest)) ? location : undefined;
  }
}
