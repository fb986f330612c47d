import { z } from 'zod';
import { TokenScope } from '#contract/token-scope.js';

export const TokenName = z.string().regex(/^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/, 'expected lower-case letters, digits and inner ".", "_" and "-", at most 63');

export const TokenParams = z.object({ token: TokenName.describe('Name of the token.') });

const MAX_SCOPES = 64;

export const NewToken = z.strictObject({
  name: TokenName.describe('Shown wherever it is said who did something.'),
  scopes: z.array(TokenScope).min(1).max(MAX_SCOPES),
  expiresAt: z.iso.datetime({ offset: true }).optional().describe('Without it the token does not expire.'),
});
export type NewToken = z.infer<typeof NewToken>;

export const TokenView = z.object({
  name: z.string(),
  scopes: z.array(z.string()),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().nullable(),
  /** Made by the configuration (WHORL_ADMIN_TOKEN, WHORL_NODE_TOKEN), and changed there alone. */
  configured: z.boolean(),
});
export type TokenView = z.infer<typeof TokenView>;

export const MintedToken = TokenView.extend({ token: z.string().describe('The token itself. It is shown this once: only its SHA-256 is kept.') });
export type MintedToken = z.infer<typeof MintedToken>;
