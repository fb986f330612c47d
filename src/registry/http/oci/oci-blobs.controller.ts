import { pipeline } from 'node:stream/promises';
import { Delete, Get, Req, Res } from '@nestjs/common';
import type { Response } from 'express';
import { RepositoriesService } from '#registry/repositories/repositories.service.js';
import { parseDigest } from '#registry/repositories/reference.js';
import { BlobStorage } from '#registry/storage/blob-storage.js';
import { parseRange } from './byte-range.js';
import { Action, OciController } from './oci.decorator.js';
import { type OciRequest, repositoryOf } from './oci-request.js';

/** Blobs of a repository (distribution-spec, pulling blobs, deleting blobs). */
@OciController()
export class OciBlobsController {
  constructor(
    private readonly repositories: RepositoriesService,
    private readonly storage: BlobStorage,
  ) {}

  /** HEAD as well: who only looks whether it is there may be about to push a manifest that names it. */
  @Get('/v2/*name/blobs/:digest')
  @Action('pull')
  async get(@Req() request: OciRequest, @Res() response: Response): Promise<void> {
    const digest = parseDigest(String(request.params['digest']));
    const isHead = request.method === 'HEAD';
    const { bytes } = await this.repositories.getBlob(repositoryOf(request), digest, isHead);
    const etag = `"${digest}"`;
    const headers = { ETag: etag, 'Docker-Content-Digest': digest, 'Accept-Ranges': 'bytes', 'Cache-Control': 'private, max-age=31536000, immutable' };
    if (request.get('if-none-match')?.includes(etag)) return void response.status(304).set(headers).end();
    const condition = request.get('if-range');
    // RFC 9110 §13.1.5: with another entity tag the range is not that of these bytes; §14.2: ranges are for GET.
    const isRanged = !isHead && (condition === undefined || condition === etag);
    const range = isRanged ? this.rangeOf(request, response, bytes) : undefined;
    const content = isHead ? undefined : (await this.storage.get(digest, range)).content;
    response.status(range ? 206 : 200).set({ ...headers, 'Content-Type': 'application/octet-stream', 'Content-Length': String(range?.bytes ?? bytes) });
    if (range) response.set('Content-Range', `bytes ${range.offset}-${range.offset + range.bytes - 1}/${bytes}`);
    if (!content) return void response.end();
    // Once bytes are on their way, a failure can only be told by ending the connection: the client sees too few bytes and asks again.
    await pipeline(content, response).catch(() => response.destroy());
  }

  @Delete('/v2/*name/blobs/:digest')
  @Action('delete')
  async delete(@Req() request: OciRequest, @Res() response: Response): Promise<void> {
    const digest = parseDigest(String(request.params['digest']));
    await this.repositories.deleteBlob(repositoryOf(request), digest);
    response.status(202).set('Docker-Content-Digest', digest).end();
  }

  private rangeOf(request: OciRequest, response: Response, bytes: number): ReturnType<typeof parseRange> {
    try {
      return parseRange(request.get('range'), bytes);
    } catch (error) {
      response.setHeader('Content-Range', `bytes */${bytes}`);
      throw error;
    }
  }
}
