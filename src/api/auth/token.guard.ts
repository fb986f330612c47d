import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { WhorlError } from '#contract/errors.js';
import { PUBLIC, SCOPES } from '#platform/http/access.decorator.js';
import type { ApiRequest, Scope } from '#platform/http/api-request.js';
import { AuthService } from './auth.service.js';

/** The guard of every route: a bearer token (RFC 6750) with a scope that the route takes, unless the route is public. */
@Injectable()
export class TokenGuard implements CanActivate {
  constructor(
    private readonly auth: AuthService,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const targets = [context.getHandler(), context.getClass()];
    if (this.reflector.getAllAndOverride<boolean | undefined>(PUBLIC, targets)) return true;
    const request = context.switchToHttp().getRequest<ApiRequest>();
    const principal = await this.auth.authenticate(readBearer(request));
    const wanted = this.reflector.getAllAndOverride<Scope[] | undefined>(SCOPES, targets) ?? [];
    const allowed = principal.scopes.includes('admin') || wanted.some((scope) => principal.scopes.includes(scope));
    if (!allowed) throw new WhorlError('API_SCOPE_MISSING', `this needs a token with the scope ${[...wanted, 'admin'].join(' or ')}; ${principal.name} has ${principal.scopes.join(', ') || 'none'}`);
    request.principal = principal;
    return true;
  }
}

function readBearer(request: ApiRequest): string {
  const header = request.get('authorization');
  if (header === undefined) throw new WhorlError('API_TOKEN_MISSING', 'the request has no Authorization header');
  const token = /^bearer +([A-Za-z0-9._~+/=-]+) *$/i.exec(header)?.[1];
  if (token === undefined) throw new WhorlError('API_TOKEN_INVALID', 'the Authorization header is not `Bearer <token>`');
  return token;
}
