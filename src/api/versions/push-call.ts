import { HttpStatus } from '@nestjs/common';
import type { Response } from 'express';
import type { ApiRequest } from '#platform/http/api-request.js';
import { readPrefer, waitOf } from '#platform/http/prefer.js';
import type { PushAnswer, PushQuery } from './version.schema.js';
import type { VersionCall } from './versions.service.js';

/** Who pushes what how, and how long the call waits for the rollout. */
export function pushCallOf(request: ApiRequest, response: Response, { query, ifMatch }: { query: PushQuery; ifMatch?: string[] | undefined }): VersionCall {
  return { ...query, ifMatch, wait: waitOf(request, response, query.wait), pushedBy: request.principal!.name, requestId: request.idempotencyId };
}

/** Where the version is; for a client that wants no more than that its rollout goes on, the operation. */
export function answerPush(request: ApiRequest, response: Response, { created, view }: PushAnswer): PushAnswer['view'] {
  if ('plan' in view) return view;
  if (readPrefer(request).respondAsync && view.operation !== undefined) response.status(HttpStatus.ACCEPTED).location(`/v1/operations/${view.operation}`);
  else response.status(created ? HttpStatus.CREATED : HttpStatus.OK).location(`/v1/apps/${view.app}/versions/${view.version}`);
  return view;
}
