import type { ApiRequest } from '#platform/http/api-request.js';

/** Host and port as in a URL: no quotes, no spaces. */
const HOST = /^[A-Za-z0-9.[\]:_-]+$/;

/**
 * Origin of the API as the client sees it: what is configured or, without it, what its own request says (Host, X-Forwarded-Proto); a lie
 * there is told to the liar alone.
 */
export function publicOrigin(request: ApiRequest, configured: string | undefined): string {
  if (configured !== undefined) return configured.replace(/\/+$/, '');
  const host = request.get('host') ?? '';
  const scheme = request.get('x-forwarded-proto') === 'https' ? 'https' : 'http';
  return `${scheme}://${HOST.test(host) ? host : 'localhost'}`;
}
