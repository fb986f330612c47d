import { Delete, Get, Patch, Post, Put, Req, Res } from '@nestjs/common';
import type { Response } from 'express';
import { WhorlError } from '#contract/errors.js';
import type { BlobDigest } from '#contract/ids.js';
import { openUpload } from '#platform/http/upload.js';
import { DIGEST_ALGORITHMS, parseDigest } from '#registry/repositories/reference.js';
import { RepositoriesService } from '#registry/repositories/repositories.service.js';
import { tryRepositoryName } from '#registry/repositories/repository-name.js';
import { type UploadChunk, UploadsService } from '#registry/repositories/uploads.service.js';
import { parseChunkRange } from './byte-range.js';
import { exactly } from './exactly.js';
import { Action, OciController } from './oci.decorator.js';
import { locationOf, type OciRequest, queryText, repositoryOf } from './oci-request.js';

/** Uploads of blobs (distribution-spec, pushing blobs): in one request, in two, in chunks, as a stream, or none of its bytes at all. */
@OciController()
export class OciUploadsController {
  constructor(
    private readonly repositories: RepositoriesService,
    private readonly uploads: UploadsService,
  ) {}

  @Post('/v2/*name/blobs/uploads')
  @Action('push')
  async post(@Req() request: OciRequest, @Res() response: Response): Promise<void> {
    const repository = repositoryOf(request);
    const [mount, from, digest, algorithm] = ['mount', 'from', 'digest', 'digest-algorithm'].map((name) => queryText(request, name));
    if (mount !== undefined) {
      if (await this.mount(request, parseDigest(mount), from)) return sendBlob(request, response, mount);
    } else if (digest !== undefined) {
      await this.uploads.take(repository, parseDigest(digest), openUpload(request, response).body, lengthOf(request));
      return sendBlob(request, response, digest);
    }
    if (algorithm !== undefined && !DIGEST_ALGORITHMS.some((each) => each === algorithm)) {
      throw new WhorlError('REGISTRY_DIGEST_INVALID', `digest-algorithm: expected ${DIGEST_ALGORITHMS.join(' or ')}`);
    }
    sendUpload(request, response, { id: await this.uploads.begin(repository), bytes: 0, status: 202 });
  }

  @Get('/v2/*name/blobs/uploads/:id')
  @Action('push')
  async status(@Req() request: OciRequest, @Res() response: Response): Promise<void> {
    const id = idOf(request);
    sendUpload(request, response, { id, bytes: await this.uploads.bytes(repositoryOf(request), id), status: 204 });
  }

  @Patch('/v2/*name/blobs/uploads/:id')
  @Action('push')
  async patch(@Req() request: OciRequest, @Res() response: Response): Promise<void> {
    const id = idOf(request);
    const repository = repositoryOf(request);
    const bytes = await this.uploads.append(repository, id, chunkOf(request, response)).catch((error: unknown) => this.sayWhere(request, response, error));
    sendUpload(request, response, { id, bytes, status: 202 });
  }

  @Put('/v2/*name/blobs/uploads/:id')
  @Action('push')
  async put(@Req() request: OciRequest, @Res() response: Response): Promise<void> {
    const digest = parseDigest(queryText(request, 'digest') ?? '');
    const last = hasBody(request) ? chunkOf(request, response) : undefined;
    await this.uploads.finish(repositoryOf(request), idOf(request), digest, last).catch((error: unknown) => this.sayWhere(request, response, error));
    sendBlob(request, response, digest);
  }

  @Delete('/v2/*name/blobs/uploads/:id')
  @Action('push')
  async cancel(@Req() request: OciRequest, @Res() response: Response): Promise<void> {
    await this.uploads.cancel(repositoryOf(request), idOf(request));
    response.status(204).end();
  }

  private async mount(request: OciRequest, digest: BlobDigest, from: string | undefined): Promise<boolean> {
    const source = from === undefined ? undefined : tryRepositoryName(from);
    // A name that cannot be one of ours has nothing to mount.
    if (from !== undefined && !source) return false;
    return this.repositories.mount(repositoryOf(request), digest, source, (each) => request.mayPull!(each));
  }

  /** A chunk that does not fit is answered with where to go on. */
  private async sayWhere(request: OciRequest, response: Response, error: unknown): Promise<never> {
    const id = idOf(request);
    if (error instanceof WhorlError && error.code === 'REGISTRY_UPLOAD_CONFLICT') setUpload(request, response, id, await this.uploads.bytes(repositoryOf(request), id));
    throw error;
  }
}

const idOf = (request: OciRequest): string => String(request.params['id']);

function chunkOf(request: OciRequest, response: Response): UploadChunk {
  const range = parseChunkRange(request.get('content-range'));
  const { body } = openUpload(request, response);
  return range ? { offset: range.offset, bytes: range.bytes, content: exactly(range.bytes, body) } : { bytes: lengthOf(request), content: body };
}

/** Undefined for a stream that does not say. */
const lengthOf = ({ headers }: OciRequest): number | undefined => (headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : undefined);

/** RFC 9112 §6: a request has a body when it says how the body is framed. */
const hasBody = (request: OciRequest): boolean => lengthOf(request) !== 0;

function setUpload(request: OciRequest, response: Response, id: string, bytes: number): void {
  // Of an upload without bytes as well: there is no way to write an empty range.
  response.set({ Location: locationOf(request, `blobs/uploads/${id}`), Range: `0-${Math.max(0, bytes - 1)}`, 'Docker-Upload-UUID': id });
}

function sendUpload(request: OciRequest, response: Response, { id, bytes, status }: { id: string; bytes: number; status: number }): void {
  setUpload(request, response, id, bytes);
  response.status(status).set('Content-Length', '0').end();
}

function sendBlob(request: OciRequest, response: Response, digest: string): void {
  response.status(201).set({ Location: locationOf(request, `blobs/${digest}`), 'Docker-Content-Digest': digest, 'Content-Length': '0' }).end();
}
