import { Delete, Get, Put, Req, Res } from '@nestjs/common';
import type { Response } from 'express';
import { WhorlError } from '#contract/errors.js';
import { readBody } from '#platform/http/read-body.js';
import { MANIFEST_MAX_BYTES } from '#registry/repositories/manifest.js';
import { parseReference } from '#registry/repositories/reference.js';
import { RepositoriesService } from '#registry/repositories/repositories.service.js';
import { Action, OciController } from './oci.decorator.js';
import { locationOf, type OciRequest, queryList, repositoryOf } from './oci-request.js';

/** Manifests of a repository, by tag and digest (distribution-spec, pulling, pushing and deleting manifests). */
@OciController()
export class OciManifestsController {
  constructor(private readonly repositories: RepositoriesService) {}

  @Get('/v2/*name/manifests/:reference')
  @Action('pull')
  async get(@Req() request: OciRequest, @Res() response: Response): Promise<void> {
    const repository = repositoryOf(request);
    const { digest, mediaType, bytes } = await this.repositories.get(repository, referenceOf(request));
    const etag = `"${digest}"`;
    response.set({ ETag: etag, 'Docker-Content-Digest': digest });
    if (request.get('if-none-match')?.includes(etag)) return void response.status(304).end();
    const content = request.method === 'HEAD' ? undefined : (await this.repositories.manifest(repository, digest)).content;
    // Not by `type()` and `send()`, which would add a charset.
    response.status(200).setHeader('Content-Type', mediaType);
    response.setHeader('Content-Length', bytes);
    response.end(content);
  }

  @Put('/v2/*name/manifests/:reference')
  @Action('push')
  async put(@Req() request: OciRequest, @Res() response: Response): Promise<void> {
    const content = await readBody(request, MANIFEST_MAX_BYTES).catch((error: unknown) => {
      if (error instanceof WhorlError) throw new WhorlError('REGISTRY_MANIFEST_TOO_LARGE', error.message, { cause: error });
      throw error;
    });
    const { digest, subject, tags } = await this.repositories.putManifest(repositoryOf(request), referenceOf(request), {
      mediaType: request.get('content-type'), content, tags: queryList(request, 'tag'), pushedBy: request.principal?.name,
    });
    response.status(201).set({ Location: locationOf(request, `manifests/${digest}`), 'Docker-Content-Digest': digest, 'Content-Length': '0' });
    if (subject !== undefined) response.set('OCI-Subject', subject);
    if (tags.length > 0) response.set('OCI-Tag', tags.join(', '));
    response.end();
  }

  /** By tag: the manifest stays. */
  @Delete('/v2/*name/manifests/:reference')
  @Action('delete')
  async delete(@Req() request: OciRequest, @Res() response: Response): Promise<void> {
    const reference = parseReference(referenceOf(request));
    const repository = repositoryOf(request);
    await ('tag' in reference ? this.repositories.deleteTag(repository, reference.tag) : this.repositories.deleteManifest(repository, reference.digest));
    response.status(202).end();
  }
}

const referenceOf = (request: OciRequest): string => String(request.params['reference']);
