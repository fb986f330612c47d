import { Controller, Delete, Get, Put } from '@nestjs/common';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { AppParams } from '../apps/app.schema.js';
import { VersionParams } from '../versions/version.schema.js';
import { KeepRequest, KeepView } from './collection.schema.js';
import { KeepingService } from './keeping.service.js';

const errors = ['API_APP_NOT_FOUND'] as const;

const GetKeep = endpoint({
  summary: 'Which versions of an app are kept',
  tag: 'collections',
  params: AppParams,
  responses: { 200: { description: 'The policy that holds for the app.', body: KeepView } },
  errors,
});

const PutKeep = endpoint({
  summary: 'Say which versions of an app are kept',
  description: 'A version is kept as long as one of the two rules keeps it; what is served, rolled out, kept for a rollback, pinned or held by a node is kept anyway.',
  tag: 'collections',
  params: AppParams,
  body: KeepRequest,
  responses: { 200: { description: 'The policy that holds for the app now.', body: KeepView } },
  errors,
});

const PinVersion = endpoint({
  summary: 'Keep a version whatever the policy says',
  tag: 'collections',
  params: VersionParams,
  responses: { 204: { description: 'It is pinned.', body: null } },
  errors: [...errors, 'API_VERSION_NOT_FOUND', 'API_VERSION_COLLECTED'],
});

const UnpinVersion = endpoint({
  summary: 'Leave a version to the policy again',
  tag: 'collections',
  params: VersionParams,
  responses: { 204: { description: 'It is not pinned.', body: null } },
  errors: [...errors, 'API_VERSION_NOT_FOUND'],
});

@Controller('v1/apps/:app')
export class KeepingController {
  constructor(private readonly keeping: KeepingService) {}

  @Get('retention')
  @Endpoint(GetKeep)
  get(@Input() { params }: InputOf<typeof GetKeep>): Promise<KeepView> {
    return this.keeping.get(params.app);
  }

  @Put('retention')
  @Endpoint(PutKeep)
  put(@Input() { params, body }: InputOf<typeof PutKeep>): Promise<KeepView> {
    return this.keeping.put(params.app, body);
  }

  @Put('versions/:version/pin')
  @Endpoint(PinVersion)
  pin(@Input() { params }: InputOf<typeof PinVersion>): Promise<void> {
    return this.keeping.pin(params.app, params.version, true);
  }

  @Delete('versions/:version/pin')
  @Endpoint(UnpinVersion)
  unpin(@Input() { params }: InputOf<typeof UnpinVersion>): Promise<void> {
    return this.keeping.pin(params.app, params.version, false);
  }
}
