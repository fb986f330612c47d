import { TLSSocket } from 'node:tls';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { WhorlError } from '#contract/errors.js';
import { PUBLIC, SCOPES } from '#platform/http/access.decorator.js';
import type { ApiRequest, Principal, Scope } from '#platform/http/api-request.js';
import { IdentitiesService } from '../identity/identities.service.js';
import { AuthService } from './auth.service.js';
import { bearerOf } from './bearer.js';

/**
 * The guard of every route: a bearer token (RFC 6750), or on the nodes port a node's certificate, with a scope that the route takes, unless
 * the route is public. A node that shows a certificate speaks for itself alone.
 */
@Injectable()
export class TokenGuard implements CanActivate {
  constructor(
    private readonly auth: AuthService,
    private readonly identities: IdentitiesService,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const targets = [context.getHandler(), context.getClass()];
    if (this.reflector.getAllAndOverride<boolean | undefined>(PUBLIC, targets)) return true;
    const request = context.switchToHttp().getRequest<ApiRequest>();
    const principal = await this.principalOf(request);
    const wanted = this.reflector.getAllAndOverride<Scope[] | undefined>(SCOPES, targets) ?? [];
    const allowed = principal.scopes.includes('admin') || wanted.some((scope) => principal.scopes.includes(scope));
    if (!allowed) throw new WhorlError('API_SCOPE_MISSING', `this needs a token with the scope ${[...wanted, 'admin'].join(' or ')}; ${principal.name} has ${principal.scopes.join(', ') || 'none'}`);
    const about = request.params['node'];
    if (principal.node !== undefined && about !== undefined && about !== principal.node) throw new WhorlError('API_NODE_NOT_ITSELF', `the certificate is that of ${principal.node}, and this is about ${String(about)}`);
    request.principal = principal;
    return true;
  }

  /** The nodes port alone ends TLS in this process: there certificates count and nothing else. */
  private async principalOf(request: ApiRequest): Promise<Principal> {
    if (!(request.socket instanceof TLSSocket)) return this.auth.authenticate(readBearer(request));
    const certificate = request.socket.getPeerX509Certificate();
    if (!certificate) throw new WhorlError('API_CERTIFICATE_MISSING', 'the connection has shown no certificate');
    if (!request.socket.authorized) throw new WhorlError('API_CERTIFICATE_REFUSED', `the certificate is not believed: ${String(request.socket.authorizationError)}`);
    return this.identities.authenticate(certificate);
  }
}

function readBearer(request: ApiRequest): string {
  const header = request.get('authorization');
  if (header === undefined) throw new WhorlError('API_TOKEN_MISSING', 'the request has no Authorization header');
  return bearerOf(header);
}
