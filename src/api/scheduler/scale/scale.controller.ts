import { Controller, Get, Put, Req, Res } from '@nestjs/common';
import type { Response } from 'express';
import type { ApiRequest } from '#platform/http/api-request.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { ChannelParams as params } from '../../runtime-config/runtime-config.schema.js';
import { ChannelScale } from './channel-scale.js';
import { ScaleService, type ShownScale } from './scale.service.js';

const errors = ['API_APP_NOT_FOUND', 'API_CHANNEL_NOT_FOUND'] as const;
const responses = { 200: { description: 'How it is scaled.', body: ChannelScale } };

const GetScale = endpoint({ summary: 'Show how a channel is scaled and where it may be', tag: 'placement', params, responses, errors });

const PutScale = endpoint({
  summary: 'Set how a channel is scaled and where it may be',
  description:
    'It holds from now on: the scheduler starts, moves and ends replicas until it does. {} is the default: no replica while there are no requests, and as many as they ask for. ' +
    'An app with state in files of a node has one replica. The entity tag is of the scale alone.',
  tag: 'placement',
  params,
  body: ChannelScale,
  conditional: true,
  responses,
  errors: [...errors, 'SCHEDULER_STATE_PINNED'],
});

@Controller('v1/apps/:app/channels/:channel/scale')
export class ScaleController {
  constructor(private readonly scale: ScaleService) {}

  @Get()
  @Endpoint(GetScale)
  async get(@Input() { params: { app, channel } }: InputOf<typeof GetScale>, @Res({ passthrough: true }) response: Response): Promise<ChannelScale> {
    return answer(response, await this.scale.get(app, channel));
  }

  @Put()
  @Endpoint(PutScale)
  async put(@Input() { params: { app, channel }, body, ifMatch }: InputOf<typeof PutScale>, @Req() request: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<ChannelScale> {
    return answer(response, await this.scale.put(app, channel, body, { ifMatch, setBy: request.principal!.name }));
  }
}

function answer(response: Response, { scale, etag }: ShownScale): ChannelScale {
  response.setHeader('ETag', etag);
  return scale;
}
