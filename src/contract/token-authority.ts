/** Whose token it is, and what it allows. */
export interface TokenHolder {
  name: string;
  /** `admin`, `node`, `repository:<org>/<app>:<actions>` (see src/registry/http/oci/access.ts). */
  scopes: readonly string[];
}

/** What the registry asks of the API about tokens. The two never import each other: this class is the injection token. */
export abstract class TokenAuthority {
  /** Throws API_TOKEN_INVALID. */
  abstract authenticate(token: string): Promise<TokenHolder>;
}
