import { Controller, Delete, Get, Put, Req, Res } from '@nestjs/common';
import type { Response } from 'express';
import type { ApiRequest } from '#platform/http/api-request.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { AppParams } from '../apps/app.schema.js';
import { readConfigBody } from './config-body.js';
import { ChannelParams, CONFIG_TYPES, RuntimeConfigView } from './runtime-config.schema.js';
import { RuntimeConfigService, type ShownConfig } from './runtime-config.service.js';

const LAYERS = 'Of a label or table that several layers name, the nearest counts: channel, app, platform, WHORL_RUNTIME_CONFIG. A store that is linked to a label goes before all.';
const NEEDED = ['API_VARIABLE_REQUIRED', 'API_STORE_LABEL_UNKNOWN', 'API_SWITCH_TIMEOUT'] as const;
const view = { 200: { description: 'The configuration, without its secrets.', body: RuntimeConfigView } };

const show = <P>(whose: string, of: P) => ({
  ...of,
  summary: `Show the runtime configuration of ${whose}`,
  description: 'Secrets are masked. Its ETag goes into If-Match.',
  tag: 'runtime configuration',
  responses: view,
});
const change = <P>(whose: string, of: P) => ({
  ...of,
  summary: `Set the runtime configuration of ${whose}`,
  description: `The body takes the place of what was there: TOML or JSON with the tables of Spin's runtime-config. ${LAYERS} Answers when every live node has it.`,
  tag: 'runtime configuration',
  streamedBody: { contentTypes: CONFIG_TYPES, description: 'The configuration.' },
  conditional: true,
  responses: view,
});
const remove = <P>(whose: string, of: P) => ({
  ...of,
  summary: `Remove the runtime configuration of ${whose}`,
  tag: 'runtime configuration',
  conditional: true,
  responses: { 204: { description: 'There is none any more.', body: null } },
});
const READ_ERRORS = ['API_RUNTIME_CONFIG_INVALID', 'API_MEDIA_TYPE_UNSUPPORTED', 'API_BODY_MALFORMED', 'API_BODY_TOO_LARGE'] as const;

const GetPlatform = endpoint(show('the platform', {}));
const PutPlatform = endpoint(change('the platform', { errors: [...READ_ERRORS, ...NEEDED] }));
const DeletePlatform = endpoint(remove('the platform', { errors: NEEDED }));
const ofApp = { params: AppParams };
const GetApp = endpoint(show('an app', { ...ofApp, errors: ['API_APP_NOT_FOUND'] as const }));
const PutApp = endpoint(change('an app', { ...ofApp, errors: ['API_APP_NOT_FOUND', ...READ_ERRORS, ...NEEDED] as const }));
const DeleteApp = endpoint(remove('an app', { ...ofApp, errors: ['API_APP_NOT_FOUND', ...NEEDED] as const }));
const ofChannel = { params: ChannelParams };
const GONE = ['API_APP_NOT_FOUND', 'API_CHANNEL_NOT_FOUND'] as const;
const GetChannel = endpoint(show('a channel', { ...ofChannel, errors: GONE }));
const PutChannel = endpoint(change('a channel', { ...ofChannel, errors: [...GONE, ...READ_ERRORS, ...NEEDED] as const }));
const DeleteChannel = endpoint(remove('a channel', { ...ofChannel, errors: [...GONE, ...NEEDED] as const }));

@Controller('v1')
export class RuntimeConfigController {
  constructor(private readonly configs: RuntimeConfigService) {}

  @Get('runtime-config')
  @Endpoint(GetPlatform)
  async getPlatform(@Res({ passthrough: true }) response: Response): Promise<RuntimeConfigView> {
    return answer(response, await this.configs.get({}));
  }

  @Put('runtime-config')
  @Endpoint(PutPlatform)
  async putPlatform(@Input() { ifMatch }: InputOf<typeof PutPlatform>, @Req() request: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<RuntimeConfigView> {
    return answer(response, await this.configs.change({}, await readConfigBody(request), ifMatch));
  }

  @Delete('runtime-config')
  @Endpoint(DeletePlatform)
  async deletePlatform(@Input() { ifMatch }: InputOf<typeof DeletePlatform>): Promise<void> {
    await this.configs.change({}, null, ifMatch);
  }

  @Get('apps/:app/runtime-config')
  @Endpoint(GetApp)
  async getApp(@Input() { params }: InputOf<typeof GetApp>, @Res({ passthrough: true }) response: Response): Promise<RuntimeConfigView> {
    return answer(response, await this.configs.get(params));
  }

  @Put('apps/:app/runtime-config')
  @Endpoint(PutApp)
  async putApp(@Input() { params, ifMatch }: InputOf<typeof PutApp>, @Req() request: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<RuntimeConfigView> {
    return answer(response, await this.configs.change(params, await readConfigBody(request), ifMatch));
  }

  @Delete('apps/:app/runtime-config')
  @Endpoint(DeleteApp)
  async deleteApp(@Input() { params, ifMatch }: InputOf<typeof DeleteApp>): Promise<void> {
    await this.configs.change(params, null, ifMatch);
  }

  @Get('apps/:app/channels/:channel/runtime-config')
  @Endpoint(GetChannel)
  async getChannel(@Input() { params }: InputOf<typeof GetChannel>, @Res({ passthrough: true }) response: Response): Promise<RuntimeConfigView> {
    return answer(response, await this.configs.get(params));
  }

  @Put('apps/:app/channels/:channel/runtime-config')
  @Endpoint(PutChannel)
  async putChannel(@Input() { params, ifMatch }: InputOf<typeof PutChannel>, @Req() request: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<RuntimeConfigView> {
    return answer(response, await this.configs.change(params, await readConfigBody(request), ifMatch));
  }

  @Delete('apps/:app/channels/:channel/runtime-config')
  @Endpoint(DeleteChannel)
  async deleteChannel(@Input() { params, ifMatch }: InputOf<typeof DeleteChannel>): Promise<void> {
    await this.configs.change(params, null, ifMatch);
  }
}

function answer(response: Response, { view: body, etag }: ShownConfig): RuntimeConfigView {
  response.setHeader('ETag', etag);
  return body;
}
