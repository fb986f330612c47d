import { Controller, Post, Req, Res } from '@nestjs/common';
import type { Response } from 'express';
import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import { BlobDigest } from '#contract/ids.js';
import type { ApiRequest } from '#platform/http/api-request.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { MirrorService } from '#registry/client/mirror.service.js';
import { allows } from './oci/access.js';

const MirrorView = z.object({
  from: z.string().describe('The image in full.'),
  to: z.string().describe('Where it is now: <org>/<app>:<tag>.'),
  digest: BlobDigest.describe('Of its manifest; the same in both registries.'),
  mediaType: z.string(),
  manifests: z.int().describe('Its own, those that its index names, those that are attached.'),
  blobs: z.int(),
  fetchedBlobs: z.int().describe('Those of them that had to be fetched.'),
  fetchedBytes: z.int(),
});
type MirrorView = z.infer<typeof MirrorView>;

const MirrorImage = endpoint({
  summary: 'Take an image of another registry into this one',
  description:
    'Everything is kept byte for byte, so that digests and signatures stay what they are; blobs that are here already are not fetched. The tag leads to ' +
    'the image when all of it is here, and the answer comes then. A call that failed goes on where it was when it is sent again.',
  tag: 'registry',
  body: z.strictObject({
    from: z.string().min(1).max(4096).describe('Where it is, with the host: ghcr.io/acme/shop:1.2.0, or @sha256:….'),
    to: z.string().min(1).max(512).describe('<org>/<app>:<tag>, or <app>:<tag> for the default organisation.'),
    attached: z.boolean().default(true).describe('With signatures, provenance and what else refers to it.'),
  }),
  idempotent: true,
  responses: { 200: { description: 'It is here.', body: MirrorView } },
  errors: [
    'REGISTRY_IMAGE_REFERENCE_INVALID', 'REGISTRY_IMAGE_UNKNOWN', 'REGISTRY_IMAGE_DENIED', 'REGISTRY_IMAGE_REFUSED', 'REGISTRY_IMAGE_UNREACHABLE',
    'REGISTRY_IMAGE_MISMATCH', 'REGISTRY_IMAGE_UNSUPPORTED', 'REGISTRY_NAME_INVALID', 'REGISTRY_NAME_UNKNOWN', 'REGISTRY_MANIFEST_INVALID', 'REGISTRY_MANIFEST_BLOB_UNKNOWN',
    'REGISTRY_QUOTA_EXCEEDED', 'REGISTRY_STORAGE_UNAVAILABLE', 'API_REQUEST_ABORTED',
  ],
});

@Controller('v1/images')
export class MirrorController {
  constructor(private readonly mirrors: MirrorService) {}

  @Post('mirror')
  @Endpoint(MirrorImage)
  mirror(@Input() { body }: InputOf<typeof MirrorImage>, @Req() request: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<MirrorView> {
    const gone = new AbortController();
    response.on('close', () => gone.abort(new WhorlError('API_REQUEST_ABORTED', 'the connection ended before the image was here')));
    const { scopes, name } = request.principal!;
    return this.mirrors.mirror({ ...body, by: name, mayPull: (repository) => allows(scopes, repository, 'pull') }, gone.signal);
  }
}
