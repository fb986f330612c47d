import { formatRepositoryName, type RepositoryName, tryRepositoryName } from '#registry/repositories/repository-name.js';

export const REPOSITORY_ACTIONS = ['pull', 'push', 'delete'] as const;
export type RepositoryAction = (typeof REPOSITORY_ACTIONS)[number];

/** What a registry token allows in one repository (distribution, token authentication: the claim `access`). */
export interface Grant {
  /** In full: `<org>/<app>`. */
  name: string;
  actions: RepositoryAction[];
}

/**
 * The scopes of platform tokens that say something about repositories: `admin` (everything) and `repository:<pattern>:<actions>`. The
 * pattern is `<org>/<app>`, `<org>/*` or `*`; actions are pull, push and delete with commas between them, or `*`.
 */
export function allows(scopes: readonly string[], repository: RepositoryName, action: RepositoryAction): boolean {
  return scopes.some((scope) => {
    if (scope === 'admin') return true;
    const [, pattern, actions] = /^repository:([^:]+):([^:]+)$/.exec(scope) ?? [];
    if (pattern === undefined || actions === undefined) return false;
    const isFor = pattern === '*' || pattern === `${repository.org}/*` || pattern === formatRepositoryName(repository);
    return isFor && (actions === '*' || actions.split(',').includes(action));
  });
}

/**
 * What of the scopes that a client asks for is granted to whoever has these platform scopes. A scope is `repository:<name>:<actions>`
 * (distribution, token scope); what is malformed, of another type or not allowed is left out.
 */
export function grant(asked: readonly string[], scopes: readonly string[]): Grant[] {
  const grants = new Map<string, Set<RepositoryAction>>();
  for (const scope of asked) {
    const [, name, actions] = /^repository(?:\([^)]*\))?:(.+):([^:]*)$/.exec(scope) ?? [];
    const repository = name === undefined ? undefined : tryRepositoryName(name);
    if (repository === undefined || actions === undefined) continue;
    const wanted = actions.split(',');
    const allowed = REPOSITORY_ACTIONS.filter((action) => (wanted.includes(action) || wanted.includes('*')) && allows(scopes, repository, action));
    const full = formatRepositoryName(repository);
    if (allowed.length > 0) grants.set(full, new Set([...(grants.get(full) ?? []), ...allowed]));
  }
  return [...grants].map(([name, actions]) => ({ name, actions: [...actions] }));
}
