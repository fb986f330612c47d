import { Controller, Get, Post, Req, Res, UseFilters } from '@nestjs/common';
import type { Response } from 'express';
import { WhorlError } from '#contract/errors.js';
import { Public } from '#platform/http/access.decorator.js';
import type { ApiRequest } from '#platform/http/api-request.js';
import { readBody } from '#platform/http/read-body.js';
import { grant } from './access.js';
import { OciErrorFilter } from './oci-error.filter.js';
import { queryList } from './oci-request.js';
import { RegistryAccess, type RegistryCaller } from './registry-access.js';
import { REGISTRY_TOKEN_S, RegistryTokens } from './registry-tokens.js';

const MAX_FORM_BYTES = 64 * 1024;

/** Where clients come with a platform token for a registry token (distribution, token authentication: by GET, and by POST as OAuth 2). */
@Controller()
@Public()
@UseFilters(OciErrorFilter)
export class TokenController {
  constructor(
    private readonly access: RegistryAccess,
    private readonly tokens: RegistryTokens,
  ) {}

  @Get('/v2/token')
  async get(@Req() request: ApiRequest, @Res() response: Response): Promise<void> {
    const authorization = request.get('authorization');
    const caller = await this.access.callerOf(authorization).catch((error: unknown) => {
      // A Bearer challenge would send the client here again.
      if (error instanceof WhorlError && error.entry.status === 401) response.setHeader('WWW-Authenticate', 'Basic realm="whorl"');
      throw error;
    });
    // A registry token must not prolong itself.
    if (caller.by === 'registry') throw new WhorlError('API_TOKEN_INVALID', 'a registry token is had for a platform token, as the password of Basic');
    const issued = this.issue(caller, queryList(request, 'scope').flatMap((scope) => scope.split(' ')));
    send(response, { token: issued.token, access_token: issued.token, expires_in: REGISTRY_TOKEN_S, issued_at: issued.at });
  }

  @Post('/v2/token')
  async post(@Req() request: ApiRequest, @Res() response: Response): Promise<void> {
    const form = new URLSearchParams((await readBody(request, MAX_FORM_BYTES)).toString('utf8'));
    const type = form.get('grant_type');
    const given = type === 'refresh_token' ? form.get('refresh_token') : form.get('password');
    if (given === null || (type !== 'password' && type !== 'refresh_token')) {
      throw new WhorlError('REGISTRY_REQUEST_INVALID', 'expected grant_type=password with password, or grant_type=refresh_token with refresh_token, as a form');
    }
    const caller = await this.access.byPlatformToken(given);
    const asked = form.getAll('scope').flatMap((scope) => scope.split(' '));
    const issued = this.issue(caller, asked);
    send(response, {
      access_token: issued.token, expires_in: REGISTRY_TOKEN_S, issued_at: issued.at, scope: issued.scope,
      // What lasts is the platform token itself, so that withdrawing it is enough.
      ...((form.get('access_type') === 'offline' || type === 'refresh_token') && { refresh_token: given }),
    });
  }

  private issue({ name, scopes }: RegistryCaller, asked: string[]): { token: string; at: string; scope: string } {
    const nowMs = Date.now();
    const grants = grant(asked, scopes);
    const scope = grants.map((each) => `repository:${each.name}:${each.actions.join(',')}`).join(' ');
    return { token: this.tokens.sign({ name, scopes, grants }, nowMs), at: new Date(nowMs).toISOString(), scope };
  }
}

/** RFC 6749 §5.1: tokens are not cached. */
const send = (response: Response, body: object): void => void response.status(200).set({ 'Cache-Control': 'no-store', Pragma: 'no-cache' }).json(body);
