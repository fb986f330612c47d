import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Response } from 'express';
import { WhorlError } from '#contract/errors.js';
import type { ControlConfig } from '#platform/config.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import { formatRepositoryName, type RepositoryName } from '#registry/repositories/repository-name.js';
import { allows, type RepositoryAction } from './access.js';
import { ACTION, type OciRequest, repositoryOf } from './oci-request.js';
import { publicOrigin } from './public-origin.js';
import { RegistryAccess } from './registry-access.js';
import { REGISTRY_SERVICE } from './registry-tokens.js';

/**
 * The guard of every route below /v2: says where tokens are (distribution, token authentication), reads the one that comes, and holds it
 * against what the route does in its repository.
 */
@Injectable()
export class OciGuard implements CanActivate {
  constructor(
    private readonly access: RegistryAccess,
    private readonly reflector: Reflector,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<OciRequest>();
    const response = context.switchToHttp().getResponse<Response>();
    response.setHeader('Docker-Distribution-Api-Version', 'registry/2.0');
    const action = this.reflector.get<RepositoryAction | undefined>(ACTION, context.getHandler());
    const repository = action && repositoryOf(request);
    // Told with a refusal alone: see below.
    const challenge = this.challenge(request, repository, action);
    const caller = await this.access.callerOf(request.get('authorization')).catch((error: unknown) => {
      if (error instanceof WhorlError && error.entry.status === 401) response.setHeader('WWW-Authenticate', error.code === 'API_TOKEN_INVALID' ? `${challenge},error="invalid_token"` : challenge);
      throw error;
    });
    // The base URL always asks for a token: clients that are answered 200 there never ask for one, and could not push.
    const isAllowed = repository && action ? caller.may(repository, action) : caller.by !== 'nothing';
    if (!isAllowed && caller.by === 'platform') throw new WhorlError('REGISTRY_ACCESS_DENIED', `${caller.name} may not ${action} in ${formatRepositoryName(repository!)}`);
    if (!isAllowed) {
      response.setHeader('WWW-Authenticate', caller.by === 'registry' ? `${challenge},error="insufficient_scope"` : challenge);
      throw new WhorlError(caller.by === 'registry' ? 'API_TOKEN_INVALID' : 'API_TOKEN_MISSING', 'authentication required: this needs a token for the repository and the action');
    }
    request.principal = { name: caller.name, scopes: caller.scopes };
    request.mayPull = (from) => allows(caller.scopes, from, 'pull');
    return true;
  }

  private challenge(request: OciRequest, repository: RepositoryName | undefined, action: RepositoryAction | undefined): string {
    // Clients that push also look for what is there.
    const actions = action === 'push' ? 'pull,push' : action;
    const scope = repository ? `,scope="repository:${formatRepositoryName(repository)}:${actions}"` : '';
    return `Bearer realm="${publicOrigin(request, this.config.WHORL_API_PUBLIC_URL)}/v2/token",service="${REGISTRY_SERVICE}"${scope}`;
  }
}
