import { z } from 'zod';
import { KeyHash } from '#contract/node-identity.js';

export const IdentityView = z.object({
  node: z.string(),
  key: z.string().describe('SHA-256 of its public key.'),
  joinToken: z.uuid().nullable().describe('What it joined with; null: a token of the API.'),
  joinedAt: z.iso.datetime(),
  authority: z.string().describe('The CA of its newest certificate.'),
  expiresAt: z.iso.datetime().describe('When that ends; the node renews it long before.'),
  seenAt: z.iso.datetime().nullable().describe('When it last asked what to believe.'),
  removedAt: z.iso.datetime().nullable(),
});
export type IdentityView = z.infer<typeof IdentityView>;

export const NewRotation = z.strictObject({
  kinds: z.array(z.enum(['tls', 'statements'])).min(1).max(2).default(['tls', 'statements']).describe('`tls`: the CA of certificates; `statements`: the key of what nodes are assigned.'),
});
export type NewRotation = z.infer<typeof NewRotation>;

export const RotationView = z.object({
  keys: z.array(z.object({
    id: KeyHash,
    kind: z.enum(['tls', 'statements']),
    state: z.enum(['trusted', 'signing', 'retiring']).describe('`trusted`: announced, signs when every live node believes it; `retiring`: goes when nobody needs it any more.'),
    createdAt: z.iso.datetime(),
    changedAt: z.iso.datetime(),
    neededUntil: z.iso.datetime().nullable().describe('Of a CA: when the last certificate that it signed ends.'),
  })),
  waitingFor: z.array(z.string()).describe('Live nodes that do not have the newest keys yet.'),
});
export type RotationView = z.infer<typeof RotationView>;
