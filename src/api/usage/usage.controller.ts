import { Controller, Get } from '@nestjs/common';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { AppParams } from '../apps/app.schema.js';
import { UsageQuery, UsageView } from './usage.schema.js';
import { UsageService } from './usage.service.js';

const GetUsage = endpoint({
  summary: 'What an app used',
  description: 'Sums over whole minutes. Nodes ship their usage within seconds, and later after an outage: a minute may still grow.',
  tag: 'usage',
  params: AppParams,
  query: UsageQuery,
  responses: { 200: { description: 'The sums, in all and by version.', body: UsageView } },
  errors: ['API_APP_NOT_FOUND'],
});

@Controller('v1/apps/:app/usage')
export class UsageController {
  constructor(private readonly usage: UsageService) {}

  @Get()
  @Endpoint(GetUsage)
  get(@Input() { params, query }: InputOf<typeof GetUsage>): Promise<UsageView> {
    return this.usage.sum(params.app, query);
  }
}
