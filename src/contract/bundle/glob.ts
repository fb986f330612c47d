/**
 * Glob patterns as Spin's manifest has them (the syntax of Rust's `glob` crate): `?`, `*`, `**`, `[abc]`, `[!a-z]`. No braces, no
 * escapes but a class of one. Matching takes time proportional to pattern times path, whatever the pattern: it comes from a stranger.
 */
type Token =
  | { kind: 'char'; char: string }
  | { kind: 'any' }
  | { kind: 'star' }
  /** `**` with the slash after it: any number of whole folders. */
  | { kind: 'folders' }
  | { kind: 'class'; negated: boolean; ranges: [from: string, to: string][] };

export interface GlobOptions {
  /** Whether `*`, `?` and classes also stand for a slash. */
  crossesSlash: boolean;
}

export const isGlob = (pattern: string): boolean => /[*?[]/.test(pattern);

export class Glob {
  private readonly tokens: Token[];

  /** Throws an Error that says what is wrong with the pattern. */
  constructor(pattern: string, private readonly options: GlobOptions) {
    this.tokens = tokenize(pattern);
  }

  /** Whether the whole path matches. */
  matches(path: string): boolean {
    const chars = [...path];
    // All positions of the pattern that the path so far can have reached.
    let states = this.closure(new Set([0]), true);
    for (const [i, char] of chars.entries()) {
      const next = new Set<number>();
      for (const state of states) {
        const token = this.tokens[state];
        if (!token) continue;
        if (token.kind === 'star') {
          if (this.options.crossesSlash || char !== '/') next.add(state);
        } else if (token.kind === 'folders') next.add(state);
        else if (this.takes(token, char)) next.add(state + 1);
      }
      if (next.size === 0) return false;
      states = this.closure(next, chars[i] === '/');
    }
    return states.has(this.tokens.length);
  }

  /** Adds what is reached without a character. `folders` ends only where a folder does. */
  private closure(states: Set<number>, afterSlash: boolean): Set<number> {
    for (const state of states) {
      const kind = this.tokens[state]?.kind;
      if (kind === 'star' || (kind === 'folders' && (afterSlash || state + 1 === this.tokens.length))) states.add(state + 1);
    }
    return states;
  }

  private takes(token: Token, char: string): boolean {
    if (token.kind === 'char') return token.char === char;
    if (char === '/' && !this.options.crossesSlash) return false;
    if (token.kind === 'class') return token.ranges.some(([from, to]) => char >= from && char <= to) !== token.negated;
    return token.kind === 'any';
  }
}

function tokenize(pattern: string): Token[] {
  const chars = [...pattern];
  const tokens: Token[] = [];
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i]!;
    if (char === '*') {
      let end = i;
      while (chars[end] === '*') end++;
      if (end - i > 2) throw new Error('"***" is no pattern: use "*" or "**"');
      if (end - i === 1) tokens.push({ kind: 'star' });
      else {
        if ((i > 0 && chars[i - 1] !== '/') || (end < chars.length && chars[end] !== '/')) throw new Error('"**" must be a whole segment of the path');
        tokens.push({ kind: 'folders' });
        if (end < chars.length) end++;
      }
      i = end - 1;
    } else if (char === '?') tokens.push({ kind: 'any' });
    else if (char === '[') {
      const negated = chars[i + 1] === '!';
      const from = i + (negated ? 2 : 1);
      // A "]" right at the start stands for itself.
      const end = chars.indexOf(']', from + 1);
      if (end < 0) throw new Error('a "[" is not closed');
      tokens.push({ kind: 'class', negated, ranges: ranges(chars.slice(from, end)) });
      i = end;
    } else tokens.push({ kind: 'char', char });
  }
  return tokens;
}

function ranges(chars: string[]): [string, string][] {
  const found: [string, string][] = [];
  for (let i = 0; i < chars.length; i++) {
    if (chars[i + 1] === '-' && i + 2 < chars.length) {
      found.push([chars[i]!, chars[i + 2]!]);
      i += 2;
    } else found.push([chars[i]!, chars[i]!]);
  }
  return found;
}
