/** What a 401 asks for (RFC 9110 §11.6.1). */
export type Challenge = { scheme: 'basic' } | { scheme: 'bearer'; realm: string; service: string | undefined; scope: string | undefined };

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const SPACE = /[ \t]*/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;

/**
 * Reads WWW-Authenticate, which may hold several challenges: Bearer goes before Basic. Undefined when none of the two is in it, or when Bearer
 * has no realm (distribution's token specification).
 */
export function readChallenge(header: string): Challenge | undefined {
  const challenges = readAll(header);
  const bearer = challenges.find(({ scheme, params }) => scheme === 'bearer' && params.realm !== undefined);
  if (bearer) return { scheme: 'bearer', realm: bearer.params.realm!, service: bearer.params.service, scope: bearer.params.scope };
  return challenges.some(({ scheme }) => scheme === 'basic') ? { scheme: 'basic' } : undefined;
}

interface RawChallenge {
  scheme: string;
  params: Record<string, string | undefined>;
}

/** Reads as far as it is well formed. */
function readAll(header: string): RawChallenge[] {
  const all: RawChallenge[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(header);
    if (found) at = pattern.lastIndex;
    return found;
  };
  while (at < header.length) {
    take(SPACE);
    if (header[at] === ',') {
      at++;
      continue;
    }
    const name = take(TOKEN)?.[0];
    if (name === undefined) return all;
    take(SPACE);
    if (header[at] !== '=') {
      all.push({ scheme: name.toLowerCase(), params: {} });
      continue;
    }
    at++;
    take(SPACE);
    const quoted = take(QUOTED);
    const value = quoted ? quoted[1]!.replace(/\\(.)/g, '$1') : take(TOKEN)?.[0];
    const current = all.at(-1);
    if (value === undefined || !current) return all;
    current.params[name.toLowerCase()] ??= value;
  }
  return all;
}
