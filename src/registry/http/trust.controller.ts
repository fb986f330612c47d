import { Controller, Get, Put, Req, Res } from '@nestjs/common';
import type { Response } from 'express';
import { z } from 'zod';
import type { ApiRequest } from '#platform/http/api-request.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { NO_TRUST_POLICY, TrustPolicy } from '#registry/trust/trust-policy.js';
import type { TrustPolicyRecord } from '#registry/trust/trust-policy.repository.js';
import { TrustService } from '#registry/trust/trust.service.js';

const TrustPolicyView = TrustPolicy.extend({
  updatedBy: z.string().nullable().describe('Name of the token; null: it was never set.'),
  updatedAt: z.iso.datetime().nullable(),
});
type TrustPolicyView = z.infer<typeof TrustPolicyView>;

const GetTrustPolicy = endpoint({
  summary: 'Show whose signatures are asked for',
  description: 'Its ETag goes into If-Match.',
  tag: 'trust',
  responses: { 200: { description: 'The policy.', body: TrustPolicyView } },
});

const PutTrustPolicy = endpoint({
  summary: 'Say whose signatures are asked for',
  description:
    'Takes the place of the policy before; {"rules": []} asks for none. The first rule that fits a version counts. It holds for versions that are made ' +
    'from now on; what is served already is served on.',
  tag: 'trust',
  body: TrustPolicy,
  conditional: true,
  responses: { 200: { description: 'The policy.', body: TrustPolicyView } },
});

@Controller('v1/trust-policy')
export class TrustController {
  constructor(private readonly trust: TrustService) {}

  @Get()
  @Endpoint(GetTrustPolicy)
  async get(@Res({ passthrough: true }) response: Response): Promise<TrustPolicyView> {
    return answer(response, await this.trust.policy());
  }

  @Put()
  @Endpoint(PutTrustPolicy)
  async put(@Input() { body, ifMatch }: InputOf<typeof PutTrustPolicy>, @Req() request: ApiRequest, @Res({ passthrough: true }) response: Response): Promise<TrustPolicyView> {
    return answer(response, await this.trust.setPolicy(body, request.principal!.name, ifMatch?.map(toRevision)));
  }
}

function answer(response: Response, record: TrustPolicyRecord | undefined): TrustPolicyView {
  response.setHeader('ETag', `"${record?.revision ?? 0}"`);
  return { ...(record?.policy ?? NO_TRUST_POLICY), updatedBy: record?.updatedBy ?? null, updatedAt: record?.updatedAt.toISOString() ?? null };
}

/** Of an entity tag; -1, which none has, for one that is not ours. */
function toRevision(tag: string): number {
  return Number(/^"(\d{1,9})"$/.exec(tag)?.[1] ?? -1);
}
