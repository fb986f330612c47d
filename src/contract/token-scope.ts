import { z } from 'zod';

const NAME = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const ACTIONS = '(?:\\*|(?:pull|push|delete)(?:,(?:pull|push|delete)){0,2})';

/** `repository:<org>/<app>:<actions>`, of every app of an organisation (`<org>/*`) or of all (`*`). What it allows: src/registry/http/oci/access.ts. */
const REPOSITORY = new RegExp(`^repository:(?:\\*|${NAME}/(?:\\*|${NAME})):${ACTIONS}$`);

/** What a token may be for. */
export const TokenScope = z.string().refine(
  (scope) => scope === 'admin' || scope === 'approve' || scope === 'node' || REPOSITORY.test(scope),
  'expected admin, approve, node or repository:<organisation>/<app>:<actions>, with `*` for an app, an organisation or the actions; actions are pull, push and delete, with commas',
);
export type TokenScope = z.infer<typeof TokenScope>;
