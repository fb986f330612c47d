import { Controller, HttpStatus, Post, Req, Res } from '@nestjs/common';
import type { Response } from 'express';
import { z } from 'zod';
import type { ApiRequest } from '#platform/http/api-request.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { waitOf } from '#platform/http/prefer.js';
import { AppParams } from '../apps/app.schema.js';
import { PlanFlag, RolloutPlan } from './plan.schema.js';
import { RollbackRequest, RolloutRequest, RolloutView, StartQuery } from './rollout.schema.js';
import { type RolloutCall, RolloutsService } from './rollouts.service.js';

const responses = {
  200: { description: 'Every live node serves the version. With `plan`: what the call would change.', body: z.union([RolloutView, RolloutPlan]) },
  202: { description: 'The rollout goes on, since the time to wait was up, or waits for somebody to agree to what the version asks for (`asks`).', body: RolloutView },
};
const errors = ['API_APP_NOT_FOUND', 'API_CHANNEL_NOT_FOUND', 'API_CHANNEL_LOCKED', 'API_CHANNEL_FROZEN', 'API_CHANNEL_PINNED', 'API_VERSION_NOT_FOUND', 'API_VERSION_COLLECTED', 'API_VARIABLE_REQUIRED', 'API_STORE_LABEL_UNKNOWN', 'API_ROLLOUT_FAILED', 'API_ROLLOUT_TIMEOUT', 'API_ROLLOUT_REJECTED', 'API_ROLLOUT_ROLLED_BACK', 'API_ROLLOUT_ABORTED', 'BUNDLE_MANIFEST_INVALID'] as const;

const RollBack = endpoint({
  summary: 'Serve an earlier version again',
  description: 'Answers when every live node has switched: no request is answered by the old version after that. Without `to`, a second call goes back again; while a version has a share of the requests, that rollout ends as rolled back. The variables get back the values that the version was last served with, unless `keepVariables` says otherwise: `variables` names them, and what is left.',
  tag: 'rollouts',
  params: AppParams,
  query: StartQuery.extend({ plan: PlanFlag }),
  body: RollbackRequest,
  idempotent: true,
  respondsAsync: true,
  conditional: true,
  responses,
  errors: [...errors, 'API_NOTHING_TO_ROLL_BACK_TO'],
});

const RollOut = endpoint({
  summary: 'Serve a version that was pushed before',
  description: 'For versions pushed with `rollout=none`, or one whose rollout failed. What was served stays until every live node has the version prepared. With steps it gets shares of the requests, is judged beside the old version, and rolled back when it is worse.',
  tag: 'rollouts',
  params: AppParams,
  query: StartQuery.extend({ plan: PlanFlag }),
  body: RolloutRequest,
  idempotent: true,
  respondsAsync: true,
  conditional: true,
  responses,
  errors,
});

@Controller('v1/apps/:app')
export class RolloutsController {
  constructor(private readonly rollouts: RolloutsService) {}

  @Post('rollback')
  @Endpoint(RollBack)
  async rollBack(@Input() { params, query, body, ifMatch }: InputOf<typeof RollBack>, @Req() request: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<RolloutView | RolloutPlan> {
    const { wait: waitS, plan, ...how } = query;
    const call = { ...how, ...callOf(request, response, { ifMatch, waitS }) };
    return plan ? this.rollouts.plan(params.app, { ...body, cause: 'rollback' }, call) : accept(response, await this.rollouts.rollBack(params.app, body, call));
  }

  @Post('rollouts')
  @Endpoint(RollOut)
  async rollOut(@Input() { params, query, body, ifMatch }: InputOf<typeof RollOut>, @Req() request: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<RolloutView | RolloutPlan> {
    const { version, rollout: strategy, keyHeader, analysis, shadow } = body;
    const settings = { ...(strategy !== undefined && { strategy }), ...(keyHeader !== undefined && { keyHeader }), ...(analysis && { analysis }), ...(shadow && { shadow }) };
    const { wait: waitS, plan, ...how } = query;
    const call = { ...how, ...callOf(request, response, { ifMatch, waitS }) };
    return plan ? this.rollouts.plan(params.app, { to: version, cause: 'rollout' }, call, settings) : accept(response, await this.rollouts.rollOut(params.app, version, call, settings));
  }
}

/** Who calls, and how long the call waits for what it begins. */
export function callOf(request: ApiRequest, response: Response, { ifMatch, waitS }: Pick<RolloutCall, 'ifMatch' | 'waitS'>): RolloutCall {
  return { causedBy: request.principal!.name, ifMatch, waitS: waitOf(request, response, waitS), requestId: request.idempotencyId };
}

/** What goes on is looked at as an operation. */
export function accept(response: Response, view: RolloutView): RolloutView {
  if (view.state === 'serving') return view;
  response.status(HttpStatus.ACCEPTED);
  if (view.operation !== null) response.location(`/v1/operations/${view.operation}`);
  return view;
}
