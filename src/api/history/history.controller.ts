import { Controller, Get } from '@nestjs/common';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { AppParams } from '../apps/app.schema.js';
import { HistoryPage, HistoryQuery } from './history.schema.js';
import { HistoryService } from './history.service.js';

const GetHistory = endpoint({
  summary: 'What an app served when, and why',
  description: 'The deployments of a channel, newest first. With `at` the one that was served then; with `requestId` what answered that request.',
  tag: 'rollouts',
  params: AppParams,
  query: HistoryQuery,
  responses: { 200: { description: 'One page of deployments.', body: HistoryPage } },
  errors: ['API_APP_NOT_FOUND', 'API_CHANNEL_NOT_FOUND'],
});

@Controller('v1/apps/:app/history')
export class HistoryController {
  constructor(private readonly history: HistoryService) {}

  @Get()
  @Endpoint(GetHistory)
  list(@Input() { params, query }: InputOf<typeof GetHistory>): Promise<HistoryPage> {
    return this.history.list(params.app, query);
  }
}
