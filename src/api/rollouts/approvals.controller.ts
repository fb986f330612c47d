import { Controller, Get, HttpStatus, Post, Req, Res } from '@nestjs/common';
import type { Response } from 'express';
import type { ApiRequest } from '#platform/http/api-request.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { type Page, pageOf, PageQuery } from '#platform/http/page.js';
import { AppParams } from '../apps/app.schema.js';
import { ApprovalsService } from './approvals.service.js';
import { Rejection, RolloutParams, RolloutSummary, RolloutView, WaitQuery } from './rollout.schema.js';

const DECISION_ERRORS = ['API_APP_NOT_FOUND', 'API_ROLLOUT_NOT_FOUND', 'API_ROLLOUT_DECIDED', 'API_APPROVAL_BY_ANOTHER'] as const;

const ListRollouts = endpoint({
  summary: "List an app's rollouts, newest first",
  tag: 'rollouts',
  params: AppParams,
  query: PageQuery,
  scopes: ['approve'],
  responses: { 200: { description: 'One page of rollouts.', body: pageOf(RolloutSummary) } },
  errors: ['API_APP_NOT_FOUND'],
});

const GetRollout = endpoint({
  summary: 'Show a rollout',
  tag: 'rollouts',
  params: RolloutParams,
  scopes: ['approve'],
  responses: { 200: { description: 'The rollout.', body: RolloutSummary } },
  errors: ['API_APP_NOT_FOUND', 'API_ROLLOUT_NOT_FOUND'],
});

const ApproveRollout = endpoint({
  summary: 'Agree to what the version of a rollout asks for',
  description: 'The rollout begins, and the call answers as one that rolls a version out. 412: since it was shown, what the app serves has changed so that the version asks for more.',
  tag: 'rollouts',
  params: RolloutParams,
  query: WaitQuery,
  scopes: ['approve'],
  idempotent: true,
  conditional: true,
  responses: {
    200: { description: 'Every live node serves the version.', body: RolloutView },
    202: { description: 'The rollout goes on; the time to wait was up.', body: RolloutView },
  },
  errors: [...DECISION_ERRORS, 'API_ROLLOUT_FAILED', 'API_ROLLOUT_TIMEOUT'],
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

  @Get(':rollout')
  @Endpoint(GetRollout)
  get(@Input() { params }: InputOf<typeof GetRollout>): Promise<RolloutSummary> {
    return this.approvals.get(params.app, params.rollout);
  }

  @Post(':rollout/approve')
  @Endpoint(ApproveRollout)
  async approve(@Input() { params, query, ifMatch }: InputOf<typeof ApproveRollout>, @Req() request: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<RolloutView> {
    const view = await this.approvals.approve(params.app, params.rollout, { causedBy: request.principal!.name, ifMatch, waitS: query.wait });
    if (view.state !== 'serving') response.status(HttpStatus.ACCEPTED);
    return view;
  }

  @Post(':rollout/reject')
  @Endpoint(RejectRollout)
  reject(@Input() { params, body, ifMatch }: InputOf<typeof RejectRollout>, @Req() request: ApiRequest): Promise<RolloutSummary> {
    return this.approvals.reject(params.app, params.rollout, body.reason, { causedBy: request.principal!.name, ifMatch });
  }
}
