import { type AST, ParseError, parseTOML } from 'toml-eslint-parser';
import { WhorlError } from '#contract/errors.js';

export type TomlPath = readonly (string | number)[];

export interface TomlDocument {
  name: string;
  /** Tables are plain objects, integers numbers (bigint beyond 2^53), dates `Date`. */
  value: Record<string, unknown>;
  /** Line of a key, or of the nearest table around it when it is not there. */
  lineOf(path: TomlPath): number;
}

/**
 * Parses TOML 1.0 and keeps the line of each key. Throws BUNDLE_MANIFEST_SYNTAX with line and column.
 */
export function parseToml(text: string): TomlDocument {
  const top = parse(text.replace(/^\uFEFF/, '')).body[0];
  const reader = new Reader();
  for (const item of top.body) {
    if (item.type === 'TOMLKeyValue') reader.keyValue(item, reader.root, []);
    else {
      const table = reader.table(item.resolvedKey, item.loc.start.line);
      for (const pair of item.body) reader.keyValue(pair, table, item.resolvedKey);
    }
  }
  return { name: 'spin.toml', value: reader.root, lineOf: (path) => reader.lineOf(path) };
}

function parse(text: string): AST.TOMLProgram {
  try {
    return parseTOML(text, { tomlVersion: '1.0' });
  } catch (cause) {
    if (cause instanceof ParseError) throw syntaxError(cause.message, cause.lineNumber, cause.column + 1, cause);
    // Nested so deep that the parser's stack ends.
    if (cause instanceof RangeError) throw syntaxError('values are nested too deep', 1, 1, cause);
    throw cause;
  }
}

function syntaxError(message: string, line: number, column: number, cause?: unknown): WhorlError {
  return new WhorlError('BUNDLE_MANIFEST_SYNTAX', `spin.toml line ${line}, column ${column}: ${message}`, { cause });
}

const joined = (path: TomlPath) => path.join('\u0000');

type Table = Record<string | number, unknown>;

/** Builds plain values from the syntax tree and notes the line of each path. */
class Reader {
  readonly root: Record<string, unknown> = {};
  private readonly lines = new Map<string, number>();

  lineOf(path: TomlPath): number {
    for (let length = path.length; length > 0; length--) {
      const line = this.lines.get(joined(path.slice(0, length)));
      if (line !== undefined) return line;
    }
    return 1;
  }

  /** The table of a header `[a.b]` or `[[a.b]]`, made where it is missing; an index in the path means an array of tables. */
  table(path: TomlPath, line: number): Table {
    let current: unknown = this.root;
    for (const [i, key] of path.entries()) current = this.step(current as Table, path.slice(0, i + 1), line, typeof path[i + 1] === 'number' ? [] : {})[key];
    this.lines.set(joined(path), line);
    return current as Table;
  }

  keyValue(pair: AST.TOMLKeyValue, table: Table, tablePath: TomlPath): void {
    const line = pair.loc.start.line;
    const keys = pair.key.keys.map((key) => (key.type === 'TOMLBare' ? key.name : key.value));
    let path = tablePath;
    let current = table;
    for (const key of keys.slice(0, -1)) {
      path = [...path, key];
      current = this.step(current, path, line, {})[key] as Table;
    }
    path = [...path, keys.at(-1)!];
    this.note(path, line);
    current[keys.at(-1)!] = this.content(pair.value, path);
  }

  private content(node: AST.TOMLContentNode, path: TomlPath): unknown {
    switch (node.type) {
      case 'TOMLArray':
        return node.elements.map((element, i) => {
          this.note([...path, i], element.loc.start.line);
          return this.content(element, [...path, i]);
        });
      case 'TOMLInlineTable': {
        const table: Table = {};
        for (const pair of node.body) this.keyValue(pair, table, path);
        return table;
      }
      case 'TOMLValue':
        return node.kind === 'integer' && !Number.isSafeInteger(node.value) ? node.bigint : node.value;
    }
  }

  /** Sets the last key of `path` in `table` to `made` when it is missing. */
  private step(table: Table, path: TomlPath, line: number, made: object): Table {
    this.note(path, line);
    const key = path.at(-1)!;
    if (!Object.hasOwn(table, key)) table[key] = made;
    return table;
  }

  private note(path: TomlPath, line: number): void {
    if (path.at(-1) === '__proto__') throw syntaxError('the key "__proto__" is not allowed', line, 1);
    if (!this.lines.has(joined(path))) this.lines.set(joined(path), line);
  }
}
