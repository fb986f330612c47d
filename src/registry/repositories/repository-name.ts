import { WhorlError } from '#contract/errors.js';
import { AppName, DEFAULT_ORG } from '#contract/ids.js';

/** Whose repository it is, and the app that it is for, which need not exist. */
export interface RepositoryName {
  org: string;
  name: AppName;
}

/** `<org>/<app>`, or `<app>` alone for the default organisation. Throws REGISTRY_NAME_INVALID. */
export function parseRepositoryName(text: string): RepositoryName {
  const parts = text.split('/');
  const [org, name] = parts.length === 1 ? [DEFAULT_ORG, parts[0]] : parts;
  // Organisations have names of the same form.
  const [checkedOrg, checkedName] = [AppName.safeParse(org), AppName.safeParse(name)];
  if (parts.length > 2 || !checkedOrg.success || !checkedName.success) {
    throw new WhorlError('REGISTRY_NAME_INVALID', `${JSON.stringify(text.slice(0, 255))} is no name of a repository: expected <org>/<app> or <app>, each a DNS label`);
  }
  return { org: checkedOrg.data, name: checkedName.data };
}

/** As `parseRepositoryName`; undefined for what is no name of a repository here. */
export function tryRepositoryName(text: string): RepositoryName | undefined {
  try {
    return parseRepositoryName(text);
  } catch {
    return undefined;
  }
}

/** The name in full, as tokens' scopes have it. */
export const formatRepositoryName = ({ org, name }: RepositoryName): string => `${org}/${name}`;
