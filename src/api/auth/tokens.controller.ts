import { Controller, Delete, Get, Header, Post } from '@nestjs/common';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { type Page, pageOf, PageQuery } from '#platform/http/page.js';
import { MintedToken, NewToken, TokenParams, TokenView } from './token.schema.js';
import { TokensService } from './tokens.service.js';

const CreateToken = endpoint({
  summary: 'Make a token',
  description:
    'The answer is the only one that shows the token. Scopes: `admin` (everything), `approve` (agrees to what versions newly ask for), `node` (what a node ' +
    'needs), `repository:<organisation>/<app>:pull,push,delete` (the registry).',
  tag: 'tokens',
  body: NewToken,
  responses: { 201: { description: 'The token, this once.', body: MintedToken } },
  errors: ['API_TOKEN_EXISTS', 'API_TOKEN_CONFIGURED'],
});

const ListTokens = endpoint({
  summary: 'List the tokens, by name',
  tag: 'tokens',
  query: PageQuery,
  responses: { 200: { description: 'One page of tokens, without what is secret.', body: pageOf(TokenView) } },
});

const DeleteToken = endpoint({
  summary: 'Withdraw a token',
  description: 'It is not valid any more when this answers. What the registry gave out for it before counts until it expires, five minutes at most.',
  tag: 'tokens',
  params: TokenParams,
  responses: { 204: { description: 'The token is gone.', body: null } },
  errors: ['API_TOKEN_NOT_FOUND', 'API_TOKEN_CONFIGURED'],
});

@Controller('v1/tokens')
export class TokensController {
  constructor(private readonly tokens: TokensService) {}

  @Post()
  @Header('Cache-Control', 'no-store')
  @Endpoint(CreateToken)
  create(@Input() { body }: InputOf<typeof CreateToken>): Promise<MintedToken> {
    return this.tokens.create(body);
  }

  @Get()
  @Endpoint(ListTokens)
  list(@Input() { query }: InputOf<typeof ListTokens>): Promise<Page<TokenView>> {
    return this.tokens.list(query);
  }

  @Delete(':token')
  @Endpoint(DeleteToken)
  remove(@Input() { params }: InputOf<typeof DeleteToken>): Promise<void> {
    return this.tokens.remove(params.token);
  }
}
