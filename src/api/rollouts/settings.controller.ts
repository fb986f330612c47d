import { Controller, Get, Put } from '@nestjs/common';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { ChannelParams as params } from '../runtime-config/runtime-config.schema.js';
import { RolloutSettings } from './settings.js';
import { SettingsService } from './settings.service.js';

const errors = ['API_APP_NOT_FOUND', 'API_CHANNEL_NOT_FOUND'] as const;
const responses = { 200: { description: 'The settings.', body: RolloutSettings } };

const GetSettings = endpoint({ summary: 'Show how versions of a channel are rolled out', tag: 'rollouts', params, responses, errors });

const PutSettings = endpoint({
  summary: 'Set how versions of a channel are rolled out',
  description: 'Holds for rollouts that begin from now on, unless the call says otherwise; it goes before what a manifest says in [application.tool.whorl]. {} says nothing.',
  tag: 'rollouts',
  params,
  body: RolloutSettings,
  conditional: true,
  responses,
  errors,
});

@Controller('v1/apps/:app/channels/:channel/rollout')
export class SettingsController {
  constructor(private readonly settings: SettingsService) {}

  @Get()
  @Endpoint(GetSettings)
  get(@Input() { params: { app, channel } }: InputOf<typeof GetSettings>): Promise<RolloutSettings> {
    return this.settings.get(app, channel);
  }

  @Put()
  @Endpoint(PutSettings)
  put(@Input() { params: { app, channel }, body, ifMatch }: InputOf<typeof PutSettings>): Promise<RolloutSettings> {
    return this.settings.put(app, channel, body, ifMatch);
  }
}
