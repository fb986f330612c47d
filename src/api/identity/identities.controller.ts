import { Controller, Delete, Get, Header, Headers, Post, Res } from '@nestjs/common';
import type { Response } from 'express';
import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import { NodeName } from '#contract/ids.js';
import { Authorities, CertificateRequest, IssuedCertificate, NODE_JOIN_ROUTES, TrustBundle } from '#contract/node-join.js';
import { Endpoint, Input } from '#platform/http/endpoint.decorator.js';
import { endpoint, type InputOf } from '#platform/http/endpoint.js';
import { bearerOf } from '../auth/bearer.js';
import { IdentitiesService } from './identities.service.js';
import { IdentityView, NewRotation, RotationView } from './identity.schema.js';
import { RotationService } from './rotation.service.js';
import { TrustService } from './trust.service.js';

const MAX_WAIT_S = 120;
const NodeParams = z.object({ node: NodeName.describe('Name of the node.') });

const GetAuthorities = endpoint({
  summary: "The platform's CAs",
  description: 'For a machine that is to join: it believes the one that its join token names.',
  tag: 'nodes',
  public: true,
  responses: { 200: { description: 'Their certificates.', body: Authorities } },
});

const PostCertificate = endpoint({
  summary: "A certificate for a node's key",
  description:
    'With a join token (or a token of the scope `node`) in the Authorization header the key gets the name; the key that has it already needs none. ' +
    'The key stays: a certificate ends after a day or a few, and the node asks for the next one in time.',
  tag: 'nodes',
  public: true,
  params: NodeParams,
  body: CertificateRequest,
  responses: { 200: { description: 'The certificate, and what the node is to believe.', body: IssuedCertificate } },
  errors: [
    'API_JOIN_TOKEN_MISSING', 'API_JOIN_TOKEN_UNKNOWN', 'API_JOIN_TOKEN_EXPIRED', 'API_JOIN_TOKEN_USED_UP', 'API_JOIN_TOKEN_WITHDRAWN', 'API_JOIN_TOKEN_NODE',
    'API_NODE_NAME_TAKEN', 'API_NODE_KEY_IN_USE', 'API_NODE_KEY_WITHDRAWN', 'API_SCOPE_MISSING', 'API_TOKEN_INVALID',
  ],
});

const GetTrust = endpoint({
  summary: 'What a node is to believe',
  description: 'Answers at once when the bundle differs from `after`, else when it changes or the time is up.',
  tag: 'nodes',
  scopes: ['node'],
  params: NodeParams,
  query: z.object({
    after: z.string().max(128).optional().describe('The revision that the node has.'),
    keys: z.string().max(1_024).optional().describe('Keys that what it holds is signed with, with commas between them.'),
    wait: z.coerce.number().int().min(0).max(MAX_WAIT_S).default(0).describe('Seconds to wait for a change.'),
  }),
  responses: { 200: { description: 'The CAs, the keys of statements, and nodes that were removed.', body: TrustBundle } },
});

const GetIdentity = endpoint({
  summary: 'Which key has the name of a node',
  tag: 'nodes',
  params: NodeParams,
  responses: { 200: { description: 'The key, and its newest certificate.', body: IdentityView } },
  errors: ['API_NODE_NOT_JOINED'],
});

const DeleteIdentity = endpoint({
  summary: 'Take the name of a node from its key',
  description: 'The control plane refuses its certificates when this answers, other nodes as soon as they hear of it. To come back, it joins with a new key.',
  tag: 'nodes',
  params: NodeParams,
  responses: { 204: { description: 'The key counts for nothing any more.', body: null } },
  errors: ['API_NODE_NOT_JOINED'],
});

const GetRotation = endpoint({
  summary: "The platform's keys",
  tag: 'nodes',
  responses: { 200: { description: 'Those that are believed, and how far a rotation has come.', body: RotationView } },
});

const PostRotation = endpoint({
  idempotent: true,
  summary: "Put new keys in the place of the platform's",
  description:
    'A new key is announced to every node, signs as soon as all live ones believe it, and the old one goes when nobody needs it any more: a CA when the last ' +
    'certificate that it signed has ended. No connection is cut, no node is restarted.',
  tag: 'nodes',
  body: NewRotation,
  responses: { 202: { description: 'The rotation has begun, and goes on by itself.', body: RotationView } },
  errors: ['API_ROTATION_RUNNING'],
});

@Controller()
export class IdentitiesController {
  constructor(
    private readonly identities: IdentitiesService,
    private readonly trust: TrustService,
    private readonly rotation: RotationService,
  ) {}

  @Get(NODE_JOIN_ROUTES.authorities.path)
  @Endpoint(GetAuthorities)
  authorities(): Promise<Authorities> {
    return this.trust.authorities();
  }

  @Get('v1/nodes/ca/rotation')
  @Endpoint(GetRotation)
  rotationView(): Promise<RotationView> {
    return this.rotation.view();
  }

  @Post('v1/nodes/ca/rotate')
  @Endpoint(PostRotation)
  rotate(@Input() { body }: InputOf<typeof PostRotation>): Promise<RotationView> {
    return this.rotation.begin(body);
  }

  @Post(NODE_JOIN_ROUTES.certificate.path)
  @Header('Cache-Control', 'no-store')
  @Endpoint(PostCertificate)
  certify(@Input() { params, body }: InputOf<typeof PostCertificate>, @Headers('authorization') authorization: string | undefined): Promise<IssuedCertificate> {
    return this.identities.certify(params.node, body, authorization === undefined ? undefined : bearerOf(authorization));
  }

  @Get(NODE_JOIN_ROUTES.trust.path)
  @Endpoint(GetTrust)
  next(@Input() { params, query }: InputOf<typeof GetTrust>, @Res({ passthrough: true }) response: Response): Promise<TrustBundle> {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const keys = query.keys?.split(',').filter((key) => key !== '') ?? [];
    return this.trust.next(params.node, { after: query.after, waitS: query.wait, keys }, gone.signal);
  }

  @Get('v1/nodes/:node/identity')
  @Endpoint(GetIdentity)
  get(@Input() { params }: InputOf<typeof GetIdentity>): Promise<IdentityView> {
    return this.identities.get(params.node);
  }

  @Delete('v1/nodes/:node/identity')
  @Endpoint(DeleteIdentity)
  async remove(@Input() { params }: InputOf<typeof DeleteIdentity>): Promise<void> {
    if (!(await this.identities.withdraw(params.node))) throw new WhorlError('API_NODE_NOT_JOINED', `no key has the name ${params.node}`);
  }
}
