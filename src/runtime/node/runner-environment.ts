/** What a program may need of its surroundings to work at all. Guests see none of it. */
const KEPT: ReadonlySet<string> = new Set(['TMPDIR', 'TZ', 'LANG', 'LC_ALL', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR']);

/** The identity that a node was given at a cloud, for stores and providers whose configuration has no keys of their own. */
const CLOUD_IDENTITY = /^(?:AWS|AZURE)_/;

/**
 * The environment for runners, as `cluster.fork` wants it, which adds ours to what it is given: undefined takes a variable out. The
 * node's token, above all, must not be where guests run.
 */
export function runnerEnvironment(ours: Record<string, string | undefined>): Record<string, string | undefined> {
  const removed = Object.keys(ours).filter((key) => !KEPT.has(key) && !CLOUD_IDENTITY.test(key)).map((key) => [key, undefined] as const);
  return { ...Object.fromEntries(removed), NODE_ENV: 'production' };
}
