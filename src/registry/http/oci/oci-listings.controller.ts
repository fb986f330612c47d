import { Get, Req, Res } from '@nestjs/common';
import type { Response } from 'express';
import { WhorlError } from '#contract/errors.js';
import { IMAGE_INDEX } from '#registry/repositories/manifest.js';
import { parseDigest, parseTag } from '#registry/repositories/reference.js';
import { RepositoriesService } from '#registry/repositories/repositories.service.js';
import { Action, OciController } from './oci.decorator.js';
import { locationOf, type OciRequest, queryText, repositoryOf, repositoryText } from './oci-request.js';

/** More tags than this come in several pages, with a Link to the next. */
const TAGS_LIMIT = 10_000;

/** What there is in a repository (distribution-spec, listing tags, listing referrers). */
@OciController()
export class OciListingsController {
  constructor(private readonly repositories: RepositoriesService) {}

  @Get('/v2/*name/tags/list')
  @Action('pull')
  async tags(@Req() request: OciRequest, @Res() response: Response): Promise<void> {
    const limit = readLimit(queryText(request, 'n'));
    const last = queryText(request, 'last');
    const found = await this.repositories.tags(repositoryOf(request), last ? parseTag(last) : '', limit + 1);
    const tags = found.slice(0, limit);
    if (found.length > limit && limit > 0) setNext(response, locationOf(request, 'tags/list'), { n: String(limit), last: tags.at(-1)! });
    response.status(200).json({ name: repositoryText(request), tags });
  }

  @Get('/v2/*name/referrers/:digest')
  @Action('pull')
  async referrers(@Req() request: OciRequest, @Res() response: Response): Promise<void> {
    const subject = parseDigest(String(request.params['digest']));
    // Who does not encode the "+" of a media type, which has no spaces, means it all the same.
    const artifactType = queryText(request, 'artifactType')?.replaceAll(' ', '+') || undefined;
    const after = queryText(request, 'after');
    if (artifactType?.includes('\0')) throw new WhorlError('REGISTRY_REQUEST_INVALID', 'artifactType: must not contain U+0000');
    const { referrers, next } = await this.repositories.referrers(repositoryOf(request), subject, artifactType, after ? parseDigest(after) : '');
    if (artifactType !== undefined) response.set('OCI-Filters-Applied', 'artifactType');
    if (next !== undefined) setNext(response, locationOf(request, `referrers/${subject}`), { after: next, ...(artifactType !== undefined && { artifactType }) });
    const manifests = referrers.map(({ bytes, ...descriptor }) => ({ ...descriptor, size: bytes }));
    response.status(200).setHeader('Content-Type', IMAGE_INDEX);
    response.end(JSON.stringify({ schemaVersion: 2, mediaType: IMAGE_INDEX, manifests }));
  }
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return TAGS_LIMIT;
  if (!/^\d{1,9}$/.test(text)) throw new WhorlError('REGISTRY_REQUEST_INVALID', `n: expected a number, not ${JSON.stringify(text.slice(0, 100))}`);
  return Math.min(Number(text), TAGS_LIMIT);
}

/** RFC 8288. */
const setNext = (response: Response, path: string, query: Record<string, string>): void =>
  void response.setHeader('Link', `<${path}?${new URLSearchParams(query).toString()}>; rel="next"`);
