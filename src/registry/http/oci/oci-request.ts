import type { ApiRequest } from '#platform/http/api-request.js';
import { parseRepositoryName, type RepositoryName } from '#registry/repositories/repository-name.js';

export const ACTION = Symbol('repository action');

/** What the guard adds to a request. */
export interface OciRequest extends ApiRequest {
  /** Whether whoever asks may pull from a repository that is not the path's: blobs can be mounted from there. */
  mayPull?: (repository: RepositoryName) => boolean;
}

/** The repository's name as the path has it: what is between /v2/ and the specification's next word. */
export function repositoryText(request: ApiRequest): string {
  const name: unknown = request.params['name'];
  return Array.isArray(name) ? name.join('/') : String(name);
}

/** The repository that the path names. Throws REGISTRY_NAME_INVALID. */
export const repositoryOf = (request: ApiRequest): RepositoryName => parseRepositoryName(repositoryText(request));

/** A URL below the repository's, for Location; relative, so that it holds behind any proxy. */
export const locationOf = (request: ApiRequest, path: string): string => `/v2/${repositoryText(request)}/${path}`;

/** A query parameter that may be given once; the first one counts. */
export function queryText(request: ApiRequest, name: string): string | undefined {
  const value: unknown = request.query[name];
  const first: unknown = Array.isArray(value) ? value[0] : value;
  return typeof first === 'string' ? first : undefined;
}

/** All values of a query parameter. */
export function queryList(request: ApiRequest, name: string): string[] {
  return [request.query[name] ?? []].flat().filter((value) => typeof value === 'string');
}
