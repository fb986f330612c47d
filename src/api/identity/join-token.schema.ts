import { z } from 'zod';
import { NodeName } from '#contract/ids.js';

const DEFAULT_TTL_S = 3_600;
const MAX_TTL_S = 7 * 86_400;
const MAX_USES = 10_000;

export const JoinTokenParams = z.object({ joinToken: z.uuid().describe('Id of the join token.') });

export const NewJoinToken = z.strictObject({
  ttlSeconds: z.int().min(1).max(MAX_TTL_S).default(DEFAULT_TTL_S).describe('How long it is valid.'),
  uses: z.int().min(1).max(MAX_USES).optional().describe('Nodes that may join with it; without it any number.'),
  node: NodeName.optional().describe('The one name that it is good for.'),
  replace: z.boolean().default(false).describe('Whether it may give a name that another key has; that one is refused from then on.'),
});
export type NewJoinToken = z.infer<typeof NewJoinToken>;

export const JoinTokenView = z.object({
  id: z.uuid(),
  createdBy: z.string(),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  state: z.enum(['valid', 'expired', 'used-up']),
  uses: z.int().describe('Nodes that have joined with it.'),
  maxUses: z.int().nullable(),
  node: z.string().nullable(),
  replace: z.boolean(),
});
export type JoinTokenView = z.infer<typeof JoinTokenView>;

export const MintedJoinToken = JoinTokenView.extend({
  token: z.string().describe('The token itself, with the name of the CA that nodes are to believe. It is shown this once: only its SHA-256 is kept.'),
  urls: z.array(z.string()).describe('Nodes ports to join at, as far as they are configured.'),
});
export type MintedJoinToken = z.infer<typeof MintedJoinToken>;
