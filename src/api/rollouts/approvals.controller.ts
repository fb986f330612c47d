import { Controller, Get, Post, Req, Res } from '@nestjs/common';
import type { Response } from 'express';
import type { ApiRequest } from '#platform/http/api-request.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { type Page, pageOf, PageQuery } from '#platform/http/page.js';
import { AppParams, ChannelQuery } from '../apps/app.schema.js';
import { accept, callOf } from './rollouts.controller.js';
import { ApprovalsService } from './approvals.service.js';
import { Abort, Approval, Rejection, RolloutDetails, RolloutParams, RolloutSummary, RolloutView, WaitQuery } from './rollout.schema.js';

const DECISION_ERRORS = ['API_APP_NOT_FOUND', 'API_ROLLOUT_NOT_FOUND', 'API_ROLLOUT_DECIDED', 'API_APPROVAL_BY_ANOTHER'] as const;

const ListRollouts = endpoint({
  summary: 'List the rollouts of a channel, newest first',
  tag: 'rollouts',
  params: AppParams,
  query: PageQuery.extend(ChannelQuery.shape),
  scopes: ['approve'],
  responses: { 200: { description: 'One page of rollouts.', body: pageOf(RolloutSummary) } },
  errors: ['API_APP_NOT_FOUND', 'API_CHANNEL_NOT_FOUND'],
});

const GetRollout = endpoint({
  summary: 'Show a rollout',
  tag: 'rollouts',
  params: RolloutParams,
  scopes: ['approve'],
  responses: { 200: { description: 'The rollout.', body: RolloutDetails } },
  errors: ['API_APP_NOT_FOUND', 'API_ROLLOUT_NOT_FOUND'],
});

const GetLatest = endpoint({
  summary: 'Show the newest rollout of a channel',
  tag: 'rollouts',
  params: AppParams,
  query: ChannelQuery,
  scopes: ['approve'],
  responses: { 200: { description: 'The rollout.', body: RolloutDetails } },
  errors: ['API_APP_NOT_FOUND', 'API_ROLLOUT_NOT_FOUND'],
});

const AbortRollout = endpoint({
  summary: 'End a rollout',
  description: 'At any step, and before the first: what was served before it is served again.',
  tag: 'rollouts',
  params: RolloutParams,
  body: Abort,
  idempotent: true,
  conditional: true,
  responses: { 200: { description: 'It has ended.', body: RolloutDetails } },
  errors: ['API_APP_NOT_FOUND', 'API_ROLLOUT_NOT_FOUND', 'API_ROLLOUT_DECIDED'],
});

const ApproveRollout = endpoint({
  summary: 'Agree to what the version of a rollout asks for, or to a step',
  description: 'With `step` the rollout, which must be at that step, goes on to the next one. Without it: '
    + 'The rollout begins, and the call answers as one that rolls a version out. 412: since it was shown, what the app serves has changed so that the version asks for more.',
  tag: 'rollouts',
  params: RolloutParams,
  query: WaitQuery,
  body: Approval,
  scopes: ['approve'],
  idempotent: true,
  respondsAsync: true,
  conditional: true,
  responses: {
    200: { description: 'Every live node serves the version.', body: RolloutView },
    202: { description: 'The rollout goes on; the time to wait was up.', body: RolloutView },
  },
  errors: [...DECISION_ERRORS, 'API_ROLLOUT_FAILED', 'API_ROLLOUT_TIMEOUT', 'API_ROLLOUT_ROLLED_BACK', 'API_ROLLOUT_ABORTED'],
});

const RejectRollout = endpoint({
  summary: 'Reject a rollout that waits for approval',
  description: 'It ends, and what is served stays. The version can be rolled out again, which asks again.',
  tag: 'rollouts',
  params: RolloutParams,
  body: Rejection,
  scopes: ['approve'],
  idempotent: true,
  conditional: true,
  responses: { 200: { description: 'It has ended.', body: RolloutSummary } },
  errors: DECISION_ERRORS,
});

@Controller('v1/apps/:app/rollouts')
export class ApprovalsController {
  constructor(private readonly approvals: ApprovalsService) {}

  @Get()
  @Endpoint(ListRollouts)
  list(@Input() { params, query }: InputOf<typeof ListRollouts>): Promise<Page<RolloutSummary>> {
    return this.approvals.list(params.app, query);
  }

  @Get('latest')
  @Endpoint(GetLatest)
  latest(@Input() { params, query }: InputOf<typeof GetLatest>): Promise<RolloutDetails> {
    return this.approvals.latest(params.app, query.channel);
  }

  @Get(':rollout')
  @Endpoint(GetRollout)
  get(@Input() { params }: InputOf<typeof GetRollout>): Promise<RolloutDetails> {
    return this.approvals.get(params.app, params.rollout);
  }

  @Post(':rollout/approve')
  @Endpoint(ApproveRollout)
  async approve(@Input() { params, query, body, ifMatch }: InputOf<typeof ApproveRollout>, @Req() request: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<RolloutView> {
    const call = callOf(request, response, { ifMatch, waitS: query.wait });
    const { approvals } = this;
    const view = await (body.step === undefined ? approvals.approve(params.app, params.rollout, call) : approvals.approveStep(params.app, params.rollout, body.step, call));
    return accept(response, view);
  }

  @Post(':rollout/reject')
  @Endpoint(RejectRollout)
  reject(@Input() { params, body, ifMatch }: InputOf<typeof RejectRollout>, @Req() request: ApiRequest): Promise<RolloutSummary> {
    return this.approvals.reject(params.app, params.rollout, body.reason, { causedBy: request.principal!.name, ifMatch });
  }

  @Post(':rollout/abort')
  @Endpoint(AbortRollout)
  abort(@Input() { params, body, ifMatch }: InputOf<typeof AbortRollout>, @Req() request: ApiRequest): Promise<RolloutDetails> {
    return this.approvals.abort(params.app, params.rollout, body.reason, { causedBy: request.principal!.name, ifMatch });
  }
}
