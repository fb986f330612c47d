import { WhorlError } from '#contract/errors.js';

/** The token of an Authorization header (RFC 6750 §2.1). Throws API_TOKEN_INVALID. */
export function bearerOf(header: string): string {
  const token = /^bearer +([A-Za-z0-9._~+/=-]+) *$/i.exec(header)?.[1];
  if (token === undefined) throw new WhorlError('API_TOKEN_INVALID', 'the Authorization header is not `Bearer <token>`');
  return token;
}
