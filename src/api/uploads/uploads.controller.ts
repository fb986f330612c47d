import { Controller, Delete, Get, Patch, Post, Req, Res } from '@nestjs/common';
import type { Response } from 'express';
import { z } from 'zod';
import type { ErrorCode } from '#contract/errors.js';
import { BUNDLE_ERRORS } from '#contract/errors/bundle.js';
import { REGISTRY_ERRORS } from '#contract/errors/registry.js';
import type { ApiRequest } from '#platform/http/api-request.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { openUpload } from '#platform/http/upload.js';
import { AppParams } from '../apps/app.schema.js';
import { RolloutPlan } from '../rollouts/plan.schema.js';
import { answerPush, pushCallOf } from '../versions/push-call.js';
import { type PushAnswer, PushQuery, PushView } from '../versions/version.schema.js';
import { AppendQuery, FileParams, FileView, UploadParams, UploadRequest, UploadView } from './upload.schema.js';
import { UploadsService } from './uploads.service.js';

const CHUNK_TYPES = ['application/octet-stream'] as const;
/** Whatever the registry refuses an app for. */
const REFUSALS = Object.keys({ ...BUNDLE_ERRORS, ...REGISTRY_ERRORS }) as ErrorCode[];

const BeginUpload = endpoint({
  summary: 'Begin an upload by digest',
  description: 'The client lists the files of an app with their SHA-256, and is told which of them to send: those that its organisation does not have. Finishing it makes a version.',
  tag: 'uploads',
  params: AppParams,
  body: UploadRequest,
  idempotent: true,
  responses: { 201: { description: 'A new upload.', body: UploadView } },
  errors: ['REGISTRY_QUOTA_EXCEEDED', 'REGISTRY_STORAGE_UNAVAILABLE'],
});

const GetUpload = endpoint({
  summary: 'Show an upload, with what is still missing',
  tag: 'uploads',
  params: UploadParams,
  responses: { 200: { description: 'The upload.', body: UploadView } },
  errors: ['API_UPLOAD_NOT_FOUND', 'REGISTRY_STORAGE_UNAVAILABLE'],
});

const CancelUpload = endpoint({
  summary: 'End an upload without making a version',
  tag: 'uploads',
  params: UploadParams,
  responses: { 204: { description: 'It is gone, and what had come of its files.', body: null } },
  errors: ['API_UPLOAD_NOT_FOUND', 'REGISTRY_STORAGE_UNAVAILABLE'],
});

const GetFile = endpoint({
  summary: 'Show how far a file of an upload is',
  description: 'To be asked after a connection broke: bytes that came are kept.',
  tag: 'uploads',
  params: FileParams,
  responses: { 200: { description: 'The file.', body: FileView } },
  errors: ['API_UPLOAD_NOT_FOUND', 'API_UPLOAD_FILE_UNKNOWN', 'REGISTRY_STORAGE_UNAVAILABLE'],
});

const AppendToFile = endpoint({
  summary: 'Send bytes of a file of an upload',
  description: 'All at once, or in as many pieces as the client likes; files can be sent at the same time. With the last byte the digest is checked.',
  tag: 'uploads',
  params: FileParams,
  query: AppendQuery,
  streamedBody: { contentTypes: CHUNK_TYPES, description: 'The bytes from `offset` on.' },
  responses: { 200: { description: 'How far the file is now.', body: FileView } },
  errors: ['API_MEDIA_TYPE_UNSUPPORTED', 'API_REQUEST_ABORTED', 'API_UPLOAD_NOT_FOUND', 'API_UPLOAD_FILE_UNKNOWN', 'API_UPLOAD_OFFSET_WRONG', 'API_UPLOAD_DIGEST_WRONG', 'REGISTRY_STORAGE_UNAVAILABLE'],
});

const FinishUpload = endpoint({
  summary: 'Make a version of an upload',
  description: 'As a push of a bundle, with the same answer. May be repeated: what is a version already stays that version.',
  tag: 'uploads',
  params: UploadParams,
  query: PushQuery,
  idempotent: true,
  conditional: true,
  respondsAsync: true,
  responses: {
    201: { description: 'A new version.', body: PushView },
    200: { description: 'These files are a version already. With `plan`: what the push would change.', body: z.union([PushView, RolloutPlan]) },
    202: { description: 'With `Prefer: respond-async`: the version is stored, and its rollout goes on as the operation that Location names.', body: PushView },
  },
  errors: ['API_SOURCE_OLDER', 'API_CHANNEL_NOT_FOUND', 'API_CHANNEL_LOCKED', 'API_CHANNEL_FROZEN', 'API_CHANNEL_PINNED', 'API_UPLOAD_NOT_FOUND', 'API_UPLOAD_INCOMPLETE', 'API_VARIABLE_REQUIRED', 'API_STORE_LABEL_UNKNOWN', ...REFUSALS],
});

@Controller('v1/apps/:app/uploads')
export class UploadsController {
  constructor(private readonly uploads: UploadsService) {}

  @Post()
  @Endpoint(BeginUpload)
  async begin(@Input() { params, body }: InputOf<typeof BeginUpload>, @Req() request: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<UploadView> {
    const view = await this.uploads.begin(params.app, body, request.principal!.name);
    response.location(`/v1/apps/${view.app}/uploads/${view.id}`);
    return view;
  }

  @Get(':upload')
  @Endpoint(GetUpload)
  get(@Input() { params }: InputOf<typeof GetUpload>): Promise<UploadView> {
    return this.uploads.get(params.app, params.upload);
  }

  @Delete(':upload')
  @Endpoint(CancelUpload)
  cancel(@Input() { params }: InputOf<typeof CancelUpload>): Promise<void> {
    return this.uploads.cancel(params.app, params.upload);
  }

  @Get(':upload/files/:digest')
  @Endpoint(GetFile)
  file(@Input() { params }: InputOf<typeof GetFile>): Promise<FileView> {
    return this.uploads.file(params.app, params.upload, params.digest);
  }

  @Patch(':upload/files/:digest')
  @Endpoint(AppendToFile)
  append(@Input() { params, query }: InputOf<typeof AppendToFile>, @Req() request: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<FileView> {
    return this.uploads.append({ app: params.app, id: params.upload, digest: params.digest }, query.offset, openUpload(request, response, CHUNK_TYPES));
  }

  @Post(':upload/finish')
  @Endpoint(FinishUpload)
  async finish(@Input() { params, query, ifMatch }: InputOf<typeof FinishUpload>, @Req() request: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<PushAnswer['view']> {
    const gone = new AbortController();
    response.on('close', () => response.writableFinished || gone.abort());
    return answerPush(request, response, await this.uploads.finish(params.app, params.upload, { ...pushCallOf(request, response, { query, ifMatch }), signal: gone.signal }));
  }
}
