import { Controller, Get, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { lastEventId, sendEvents } from '#platform/http/sse.js';
import { Lifetime } from '#platform/lifetime.js';
import { AppParams } from '../apps/app.schema.js';
import { LogLineView, LogsQuery, LogsView } from './log.schema.js';
import { LogsService } from './logs.service.js';

const GetLogs = endpoint({
  summary: "What an app's components wrote",
  description: 'With `follow=true` as server-sent events, each with the id of its line: a client that reconnects with Last-Event-ID misses none.',
  tag: 'logs',
  params: AppParams,
  query: LogsQuery,
  responses: { 200: { description: 'The last lines.', body: LogsView, events: LogLineView } },
  errors: ['API_APP_NOT_FOUND'],
});

@Controller('v1/apps/:app/logs')
export class LogsController {
  constructor(
    private readonly logs: LogsService,
    private readonly lifetime: Lifetime,
  ) {}

  @Get()
  @Endpoint(GetLogs)
  async get(@Input() { params, query }: InputOf<typeof GetLogs>, @Req() request: Request, @Res() response: Response): Promise<void> {
    if (query.follow === 'false') {
      response.json(await this.logs.tail({ app: params.app, channel: query.channel }, query.tail));
      return;
    }
    const source = await this.logs.follow({ app: params.app, channel: query.channel }, { tail: query.tail, lastEventId: lastEventId(request) });
    await sendEvents(response, source, this.lifetime.signal);
  }
}
