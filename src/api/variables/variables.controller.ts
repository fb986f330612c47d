import { Controller, Get, Put, Req } from '@nestjs/common';
import type { ApiRequest } from '#platform/http/api-request.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { AppParams } from '../apps/app.schema.js';
import { VariableChanges, VariablesQuery, VariablesView } from './variable.schema.js';
import { VariablesService } from './variables.service.js';

const ListVariables = endpoint({
  summary: "List an app's variables",
  description: 'What the newest version declares and what is set. Values of secret ones are never shown.',
  tag: 'variables',
  params: AppParams,
  query: VariablesQuery,
  responses: { 200: { description: 'The variables, by name.', body: VariablesView } },
  errors: ['API_APP_NOT_FOUND', 'API_CHANNEL_NOT_FOUND'],
});

const ChangeVariables = endpoint({
  summary: "Set values of an app's variables",
  description:
    'The body is `{"name": "value"}`; `{"name": {"value": "…", "secret": true}}` makes a secret, as does a manifest that declares it so; ' +
    '`{"name": null}` removes the value. With `channel` they hold in that channel alone, and go before those that hold in all. Names that are not given stay. Creates the app when it is new. Answers when every live node has the values.',
  tag: 'variables',
  params: AppParams,
  query: VariablesQuery,
  body: VariableChanges,
  conditional: true,
  responses: { 200: { description: 'The variables after the change.', body: VariablesView } },
  errors: ['API_APP_NOT_FOUND', 'API_CHANNEL_NOT_FOUND', 'API_VARIABLE_REQUIRED', 'API_SWITCH_TIMEOUT'],
});

@Controller('v1/apps/:app/variables')
export class VariablesController {
  constructor(private readonly variables: VariablesService) {}

  @Get()
  @Endpoint(ListVariables)
  list(@Input() { params, query }: InputOf<typeof ListVariables>): Promise<VariablesView> {
    return this.variables.list(params.app, query.channel);
  }

  @Put()
  @Endpoint(ChangeVariables)
  change(@Input() { params, query, body, ifMatch }: InputOf<typeof ChangeVariables>, @Req() request: ApiRequest): Promise<VariablesView> {
    return this.variables.change({ app: params.app, ...query }, body, { ifMatch, causedBy: request.principal!.name });
  }
}
