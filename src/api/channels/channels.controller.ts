import { Controller, Delete, Get, HttpStatus, Patch, Post, Put, Req, Res } from '@nestjs/common';
import type { Response } from 'express';
import type { ApiRequest } from '#platform/http/api-request.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { AppParams } from '../apps/app.schema.js';
import { ChannelParams } from '../runtime-config/runtime-config.schema.js';
import { ChannelPatch, ChannelsView, ChannelView, DeletedChannel, DeleteQuery, NewChannel } from './channel.schema.js';
import { LockRequest } from './channel-lock.js';
import { ChannelsService, type ShownChannel } from './channels.service.js';

const tag = 'channels';
const GONE = ['API_APP_NOT_FOUND', 'API_CHANNEL_NOT_FOUND'] as const;
/** What a rollout that a rule leads to is refused for. */
const REFUSED = ['API_VERSION_NOT_FOUND', 'API_VERSION_COLLECTED', 'API_VARIABLE_REQUIRED', 'API_STORE_LABEL_UNKNOWN', 'API_CHANNEL_LOCKED', 'BUNDLE_MANIFEST_INVALID'] as const;
const shown = { 200: { description: 'The channel.', body: ChannelView } };

const ListChannels = endpoint({
  summary: "List an app's channels",
  tag,
  params: AppParams,
  responses: { 200: { description: 'The channels, `production` among them.', body: ChannelsView } },
  errors: ['API_APP_NOT_FOUND'],
});

const CreateChannel = endpoint({
  summary: 'Make a channel',
  description: 'It has a host of its own (`<channel>--<app>`), and serves nothing until a rule or a rollout leads to a version. Values, stores and configuration of the app hold in it where it has none of its own.',
  tag,
  params: AppParams,
  body: NewChannel,
  idempotent: true,
  responses: { 201: { description: 'The channel.', body: ChannelView } },
  errors: ['API_APP_NOT_FOUND', 'API_CHANNEL_EXISTS', ...REFUSED],
});

const GetChannel = endpoint({ summary: 'Show a channel', description: 'Its ETag goes into If-Match.', tag, params: ChannelParams, responses: shown, errors: GONE });

const PatchChannel = endpoint({
  summary: 'Change the rule or the freeze windows of a channel',
  description: 'What is not given stays. A rule that is given is carried out at once, by a rollout with the settings of the channel.',
  tag,
  params: ChannelParams,
  body: ChannelPatch,
  conditional: true,
  responses: shown,
  errors: [...GONE, ...REFUSED],
});

const DeleteChannel = endpoint({
  summary: 'Delete a channel',
  description: 'Its host answers nothing any more, its values, configuration and links go, a rollout under way ends; versions, usage and logs stay. Answers when every live node has dropped it.',
  tag,
  params: ChannelParams,
  query: DeleteQuery,
  conditional: true,
  responses: { 200: { description: 'What is gone, or would go.', body: DeletedChannel } },
  errors: [...GONE, 'API_CHANNEL_PERMANENT', 'API_SWITCH_TIMEOUT'],
});

const LockChannel = endpoint({
  summary: 'Lock a channel',
  description: 'Every rollout of it is refused with the reason, whoever or whatever begins it; one under way pauses before its next step. A rollback goes all the same, unless `rollback` is false.',
  tag,
  params: ChannelParams,
  body: LockRequest,
  conditional: true,
  responses: shown,
  errors: GONE,
});

const UnlockChannel = endpoint({ summary: 'Open a channel', description: 'Rollouts that paused for the lock go on.', tag, params: ChannelParams, conditional: true, responses: shown, errors: GONE });

@Controller('v1/apps/:app/channels')
export class ChannelsController {
  constructor(private readonly channels: ChannelsService) {}

  @Get()
  @Endpoint(ListChannels)
  async list(@Input() { params }: InputOf<typeof ListChannels>): Promise<ChannelsView> {
    return { items: await this.channels.list(params.app) };
  }

  @Post()
  @Endpoint(CreateChannel)
  async create(@Input() { params, body: { name, ...settings } }: InputOf<typeof CreateChannel>, @Req() request: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<ChannelView> {
    const made = await this.channels.create({ app: params.app, channel: name, by: request.principal!.name }, settings);
    response.status(HttpStatus.CREATED).location(`/v1/apps/${params.app}/channels/${name}`);
    return answer(response, made);
  }

  @Get(':channel')
  @Endpoint(GetChannel)
  async get(@Input() { params }: InputOf<typeof GetChannel>, @Res({ passthrough: true }) response: Response): Promise<ChannelView> {
    return answer(response, await this.channels.get(params.app, params.channel));
  }

  @Patch(':channel')
  @Endpoint(PatchChannel)
  async patch(@Input() { params, body, ifMatch }: InputOf<typeof PatchChannel>, @Req() request: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<ChannelView> {
    return answer(response, await this.channels.patch({ ...params, ifMatch, by: request.principal!.name }, body));
  }

  @Delete(':channel')
  @Endpoint(DeleteChannel)
  remove(@Input() { params, query, ifMatch }: InputOf<typeof DeleteChannel>): Promise<DeletedChannel> {
    return this.channels.remove({ ...params, ifMatch }, query.plan === 'true');
  }

  @Put(':channel/lock')
  @Endpoint(LockChannel)
  async lock(@Input() { params, body, ifMatch }: InputOf<typeof LockChannel>, @Req() request: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<ChannelView> {
    return answer(response, await this.channels.lock({ ...params, ifMatch, by: request.principal!.name }, body));
  }

  @Delete(':channel/lock')
  @Endpoint(UnlockChannel)
  async unlock(@Input() { params, ifMatch }: InputOf<typeof UnlockChannel>, @Req() request: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<ChannelView> {
    return answer(response, await this.channels.lock({ ...params, ifMatch, by: request.principal!.name }, null));
  }
}

function answer(response: Response, { view, etag }: ShownChannel): ChannelView {
  response.setHeader('ETag', etag);
  return view;
}
