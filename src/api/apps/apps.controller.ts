import { Controller, Delete, Get, Res } from '@nestjs/common';
import type { Response } from 'express';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { type Page, pageOf, PageQuery } from '#platform/http/page.js';
import { etagOf } from './app.js';
import { AppParams, AppView } from './app.schema.js';
import { AppsService } from './apps.service.js';

const ListApps = endpoint({
  summary: 'List the apps, by name',
  tag: 'apps',
  query: PageQuery,
  responses: { 200: { description: 'One page of apps.', body: pageOf(AppView) } },
});

const GetApp = endpoint({
  summary: 'Show an app',
  description: 'The ETag can be sent as If-Match with whatever changes the app.',
  tag: 'apps',
  params: AppParams,
  responses: { 200: { description: 'The app.', body: AppView } },
  errors: ['API_APP_NOT_FOUND'],
});

const DeleteApp = endpoint({
  summary: 'Delete an app',
  description: 'Answers when no live node serves it any more. The name is free again; its usage is kept under the old identity.',
  tag: 'apps',
  params: AppParams,
  conditional: true,
  responses: { 204: { description: 'The app is gone.', body: null } },
  errors: ['API_APP_NOT_FOUND', 'API_SWITCH_TIMEOUT'],
});

@Controller('v1/apps')
export class AppsController {
  constructor(private readonly apps: AppsService) {}

  @Get()
  @Endpoint(ListApps)
  list(@Input() { query }: InputOf<typeof ListApps>): Promise<Page<AppView>> {
    return this.apps.list(query);
  }

  @Get(':app')
  @Endpoint(GetApp)
  async get(@Input() { params }: InputOf<typeof GetApp>, @Res({ passthrough: true }) response: Response): Promise<AppView> {
    const app = await this.apps.get(params.app);
    response.setHeader('ETag', etagOf(app));
    return this.apps.view(app);
  }

  @Delete(':app')
  @Endpoint(DeleteApp)
  remove(@Input() { params, ifMatch }: InputOf<typeof DeleteApp>): Promise<void> {
    return this.apps.remove(params.app, ifMatch);
  }
}
