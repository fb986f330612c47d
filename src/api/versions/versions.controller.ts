import { Controller, Get, Inject, Post, Req, Res } from '@nestjs/common';
import type { Response } from 'express';
import { z } from 'zod';
import { BUNDLE_ERRORS } from '#contract/errors/bundle.js';
import { REGISTRY_ERRORS } from '#contract/errors/registry.js';
import type { ErrorCode } from '#contract/errors.js';
import type { ControlConfig } from '#platform/config.js';
import type { ApiRequest } from '#platform/http/api-request.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { type Page, pageOf, PageQuery } from '#platform/http/page.js';
import { openUpload } from '#platform/http/upload.js';
import { Lifetime } from '#platform/lifetime.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import { AppParams } from '../apps/app.schema.js';
import { RolloutPlan } from '../rollouts/plan.schema.js';
import { answerPush, pushCallOf } from './push-call.js';
import { BUNDLE_TYPES, ImagePush, type PushAnswer, PushQuery, PushView, VersionParams, VersionSummary, VersionView } from './version.schema.js';
import { VersionsService } from './versions.service.js';

/** Whatever the registry refuses a bundle for. */
const REFUSALS = Object.keys({ ...BUNDLE_ERRORS, ...REGISTRY_ERRORS }) as ErrorCode[];

const PushVersion = endpoint({
  summary: 'Push a bundle, or name an image, as a new version',
  description:
    'The body is a tar.gz whose root holds spin.toml and what it names, or JSON with the reference of an image. Creates the app when it is new. With `wait`, answers once the version ' +
    'serves or has failed: a version whose rollout failed is stored all the same, so that is a 201 whose `state` is `failed`, with the reason.',
  tag: 'versions',
  params: AppParams,
  query: PushQuery,
  streamedBody: { contentTypes: BUNDLE_TYPES, description: 'The bundle, or JSON that names an image.' },
  body: ImagePush,
  idempotent: true,
  conditional: true,
  respondsAsync: true,
  responses: {
    201: { description: 'A new version.', body: PushView },
    200: { description: 'These bytes, or this image, are a version already. With `plan`: what the push would change.', body: z.union([PushView, RolloutPlan]) },
    202: { description: 'With `Prefer: respond-async`: the version is stored, and its rollout goes on as the operation that Location names.', body: PushView },
  },
  errors: ['API_SOURCE_OLDER', 'API_CHANNEL_NOT_FOUND', 'API_CHANNEL_LOCKED', 'API_CHANNEL_FROZEN', 'API_CHANNEL_PINNED', 'API_MEDIA_TYPE_UNSUPPORTED', 'API_REQUEST_ABORTED', 'API_VARIABLE_REQUIRED', 'API_STORE_LABEL_UNKNOWN', ...REFUSALS],
});

const ListVersions = endpoint({
  summary: "List an app's versions, newest first",
  tag: 'versions',
  params: AppParams,
  query: PageQuery,
  responses: { 200: { description: 'One page of versions.', body: pageOf(VersionSummary) } },
  errors: ['API_APP_NOT_FOUND'],
});

const GetVersion = endpoint({
  summary: 'Show a version',
  tag: 'versions',
  params: VersionParams,
  scopes: ['approve'],
  responses: { 200: { description: 'The version.', body: VersionView } },
  errors: ['API_APP_NOT_FOUND', 'API_VERSION_NOT_FOUND'],
});

@Controller('v1/apps/:app/versions')
export class VersionsController {
  constructor(
    private readonly versions: VersionsService,
    private readonly lifetime: Lifetime,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
  ) {}

  @Post()
  @Endpoint(PushVersion)
  async push(@Input() { params, query, body, ifMatch }: InputOf<typeof PushVersion>, @Req() request: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<PushAnswer['view']> {
    const call = pushCallOf(request, response, { query, ifMatch });
    const pushed = body
      ? await this.versions.pushImage(params.app, { ...call, ...body, hosts: this.hostsOf(request), signal: this.lifetime.signal })
      : await this.versions.push(params.app, { ...call, ...openUpload(request, response, BUNDLE_TYPES), declaredBytes: Number(request.get('content-length') ?? 0) });
    // A repeated request that names an image is known by its body.
    if (!body && 'digest' in pushed.view) request.bodyDigest = pushed.view.digest;
    return answerPush(request, response, pushed);
  }

  private hostsOf(request: ApiRequest): string[] {
    const { WHORL_API_PUBLIC_URL: configured } = this.config;
    return [request.get('host') ?? [], configured === undefined ? [] : new URL(configured).host].flat();
  }

  @Get()
  @Endpoint(ListVersions)
  list(@Input() { params, query }: InputOf<typeof ListVersions>): Promise<Page<VersionSummary>> {
    return this.versions.list(params.app, query);
  }

  @Get(':version')
  @Endpoint(GetVersion)
  get(@Input() { params }: InputOf<typeof GetVersion>): Promise<VersionView> {
    return this.versions.get(params.app, params.version);
  }
}
