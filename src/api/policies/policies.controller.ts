import { Controller, Get, Put } from '@nestjs/common';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { ChannelParams as params } from '../runtime-config/runtime-config.schema.js';
import { ChannelPolicy } from './channel-policy.js';
import { PoliciesService } from './policies.service.js';

const errors = ['API_APP_NOT_FOUND', 'API_CHANNEL_NOT_FOUND'] as const;
const responses = { 200: { description: 'The policy.', body: ChannelPolicy } };

const GetPolicy = endpoint({ summary: 'Show the policy of a channel', tag: 'policies', params, responses, errors });

const PutPolicy = endpoint({
  summary: 'Set the policy of a channel',
  description:
    'With `newCapabilities`, a push, rollout or deploy whose version asks for more than what the channel serves waits until somebody agrees ' +
    '(POST /v1/apps/{app}/rollouts/{rollout}/approve). It holds for what begins from now on. {} asks for nothing.',
  tag: 'policies',
  params,
  body: ChannelPolicy,
  conditional: true,
  responses,
  errors,
});

@Controller('v1/apps/:app/channels/:channel/policy')
export class PoliciesController {
  constructor(private readonly policies: PoliciesService) {}

  @Get()
  @Endpoint(GetPolicy)
  get(@Input() { params: { app, channel } }: InputOf<typeof GetPolicy>): Promise<ChannelPolicy> {
    return this.policies.get(app, channel);
  }

  @Put()
  @Endpoint(PutPolicy)
  put(@Input() { params: { app, channel }, body, ifMatch }: InputOf<typeof PutPolicy>): Promise<ChannelPolicy> {
    return this.policies.put(app, channel, body, ifMatch);
  }
}
