/** Where a request of `fermyon:spin/http` goes. */
export interface RequestTarget {
  /** null: the URL has none, and `https` is what the policy is asked about. */
  scheme: string | null;
  /** null: the component's own app. */
  authority: string | null;
  pathWithQuery: string;
  /** `Authorization` that a user name in the URL stands for. */
  authorization: string | null;
}

/**
 * Reads the URL as Spin does: a path is the app's own, and one without a scheme is taken for https. null: it is no URL.
 */
export function toRequestTarget(uri: string): RequestTarget | null {
  if (uri.startsWith('/')) return { scheme: null, authority: null, pathWithQuery: uri.replace(/#.*$/s, ''), authorization: null };
  const written = URL.parse(uri);
  const isWhole = written !== null && written.host !== '';
  const url = isWhole ? written : URL.parse(`https://${uri}`);
  if (!url || url.host === '') return null;
  return {
    scheme: isWhole ? url.protocol.slice(0, -1) : null,
    authority: url.host,
    pathWithQuery: `${url.pathname === '' ? '/' : url.pathname}${url.search}`,
    authorization: url.username === '' && url.password === '' ? null : basic(url),
  };
}

/** RFC 7617. */
function basic({ username, password }: URL): string {
  return `Basic ${Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64')}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
