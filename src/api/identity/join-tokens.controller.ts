import { Controller, Delete, Get, Header, Post, Req } from '@nestjs/common';
import type { ApiRequest } from '#platform/http/api-request.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { type Page, pageOf, PageQuery } from '#platform/http/page.js';
import { JoinTokenParams, JoinTokenView, MintedJoinToken, NewJoinToken } from './join-token.schema.js';
import { JoinTokensService } from './join-tokens.service.js';

const CreateJoinToken = endpoint({
  summary: 'Make a join token',
  description: 'Lets machines become nodes: `whorl node --join URL --token T --name N --dir D`. The answer is the only one that shows the token.',
  tag: 'nodes',
  body: NewJoinToken,
  responses: { 201: { description: 'The token, this once.', body: MintedJoinToken } },
});

const ListJoinTokens = endpoint({
  summary: 'List the join tokens',
  tag: 'nodes',
  query: PageQuery,
  responses: { 200: { description: 'One page of join tokens, without what is secret.', body: pageOf(JoinTokenView) } },
});

const WithdrawJoinToken = endpoint({
  summary: 'Withdraw a join token',
  description: 'Nobody joins with it any more when this answers. Nodes that have joined stay.',
  tag: 'nodes',
  params: JoinTokenParams,
  responses: { 204: { description: 'The token is withdrawn.', body: null } },
  errors: ['API_JOIN_TOKEN_NOT_FOUND'],
});

@Controller('v1/nodes/join-tokens')
export class JoinTokensController {
  constructor(private readonly tokens: JoinTokensService) {}

  @Post()
  @Header('Cache-Control', 'no-store')
  @Endpoint(CreateJoinToken)
  create(@Input() { body }: InputOf<typeof CreateJoinToken>, @Req() request: ApiRequest): Promise<MintedJoinToken> {
    return this.tokens.create(body, request.principal!.name);
  }

  @Get()
  @Endpoint(ListJoinTokens)
  list(@Input() { query }: InputOf<typeof ListJoinTokens>): Promise<Page<JoinTokenView>> {
    return this.tokens.list(query);
  }

  @Delete(':joinToken')
  @Endpoint(WithdrawJoinToken)
  withdraw(@Input() { params }: InputOf<typeof WithdrawJoinToken>): Promise<void> {
    return this.tokens.withdraw(params.joinToken);
  }
}
