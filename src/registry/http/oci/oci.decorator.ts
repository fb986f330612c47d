import { applyDecorators, Controller, SetMetadata, UseFilters, UseGuards } from '@nestjs/common';
import { Public } from '#platform/http/access.decorator.js';
import type { RepositoryAction } from './access.js';
import { OciErrorFilter } from './oci-error.filter.js';
import { OciGuard } from './oci.guard.js';
import { ACTION } from './oci-request.js';

/** A controller of routes of the distribution specification: tokens and errors are the specification's. */
export const OciController = (): ClassDecorator => applyDecorators(Controller(), Public(), UseGuards(OciGuard), UseFilters(OciErrorFilter));

/** What a route does in the repository that its path names; a route without it needs a token alone. */
export const Action = (action: RepositoryAction): MethodDecorator => SetMetadata(ACTION, action);
