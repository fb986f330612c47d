import { Controller, Delete, Get, Put, Req, Res } from '@nestjs/common';
import type { Response } from 'express';
import type { ApiRequest } from '#platform/http/api-request.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { ChannelParams as params } from '../runtime-config/runtime-config.schema.js';
import { RuleRequest, RuleView } from './deploy-on-push.schema.js';
import { DeployOnPushService, type ShownRule } from './deploy-on-push.service.js';

const errors = ['API_APP_NOT_FOUND', 'API_CHANNEL_NOT_FOUND'] as const;
const responses = { 200: { description: 'The rule, and what became of pushes.', body: RuleView } };
const tag = 'deploy on push';

const GetRule = endpoint({ summary: 'Show what a channel deploys on push', description: 'Its ETag goes into If-Match.', tag, params, responses, errors });

const PutRule = endpoint({
  summary: 'Set what a channel deploys on push',
  description:
    "From now on, a push of a matching tag to the app's repository in the built-in registry makes a version and rolls it out, once. Makes the app when it is new. " +
    'If-Match takes the ETag of the rule.',
  tag,
  params,
  body: RuleRequest,
  conditional: true,
  responses,
  errors,
});

const DeleteRule = endpoint({
  summary: 'Deploy nothing on push',
  description: 'If-Match takes the ETag of the rule.',
  tag,
  params,
  conditional: true,
  responses: { 204: { description: 'Pushes deploy nothing any more.', body: null } },
  errors,
});

@Controller('v1/apps/:app/channels/:channel/deploy-on-push')
export class DeployOnPushController {
  constructor(private readonly rules: DeployOnPushService) {}

  @Get()
  @Endpoint(GetRule)
  async get(@Input() { params: { app, channel } }: InputOf<typeof GetRule>, @Res({ passthrough: true }) response: Response): Promise<RuleView> {
    return answer(response, await this.rules.get(app, channel));
  }

  @Put()
  @Endpoint(PutRule)
  async put(@Input() { params: of, body, ifMatch }: InputOf<typeof PutRule>, @Req() request: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<RuleView> {
    const rule = body.tags === undefined ? { kind: 'semver' as const, pattern: body.semver! } : { kind: 'tags' as const, pattern: body.tags };
    return answer(response, await this.rules.set({ ...of, ifMatch, setBy: request.principal!.name }, rule));
  }

  @Delete()
  @Endpoint(DeleteRule)
  async remove(@Input() { params: of, ifMatch }: InputOf<typeof DeleteRule>, @Req() request: ApiRequest): Promise<void> {
    await this.rules.set({ ...of, ifMatch, setBy: request.principal!.name }, null);
  }
}

function answer(response: Response, { view, etag }: ShownRule): RuleView {
  response.setHeader('ETag', etag);
  return view;
}
