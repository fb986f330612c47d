import { z } from 'zod';

/** Pieces that the schemas of both manifest versions are made of. Messages are written to stand after `line 7, component.x.source: `. */

/** A table that refuses keys it does not know, and says which ones it does. */
export function table<T extends z.ZodRawShape>(shape: T) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? `unknown key; known here: ${Object.keys(shape).join(', ')}` : describe(issue)),
  });
}

/** What is wrong with a value, in TOML's words. */
export function describe(issue: { code?: string; expected?: unknown; input?: unknown; values?: unknown }): string | undefined {
  if (issue.code === 'invalid_type') {
    if (issue.input === undefined) return 'is required';
    return `expected ${TOML_NAMES[String(issue.expected)] ?? String(issue.expected)}, got ${typeName(issue.input)}`;
  }
  if (issue.code === 'invalid_value' && Array.isArray(issue.values)) return `expected ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}, got ${typeof issue.input === 'string' ? JSON.stringify(issue.input) : typeName(issue.input)}`;
  return undefined;
}

const TOML_NAMES: Record<string, string> = { string: 'a string', number: 'a number', int: 'an integer', boolean: 'true or false', object: 'a table', record: 'a table', array: 'an array' };

function typeName(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Date) return 'a date';
  if (typeof value === 'object') return 'a table';
  return ({ string: 'a string', number: 'a number', bigint: 'too large an integer', boolean: 'true or false' } as Record<string, string>)[typeof value] ?? 'nothing';
}

/**
 * A value of several shapes, told apart before it is checked, so that messages are about the shape that was meant.
 * @param pick the schema for a value, or what was expected
 */
export function choose<T>(pick: (value: unknown) => z.ZodType<T> | string): z.ZodType<T> {
  return z.unknown().transform((value, context): T => {
    const schema = value === undefined ? 'is required' : pick(value);
    if (typeof schema === 'string') {
      context.issues.push({ code: 'custom', message: schema, input: value });
      return z.NEVER;
    }
    const parsed = schema.safeParse(value, { error: describe });
    if (parsed.success) return parsed.data;
    for (const issue of parsed.error.issues) context.issues.push({ ...issue, input: value } as z.core.$ZodRawIssue);
    return z.NEVER;
  });
}

/** A string that `check` has nothing against. */
export const checked = (check: (text: string) => string | undefined) =>
  z.string().superRefine((text, context) => {
    const problem = check(text);
    if (problem) context.addIssue({ code: 'custom', message: `"${text}": ${problem}` });
  });

export const isTable = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

export const strings = z.array(z.string());
export const stringMap = z.record(z.string(), z.string());
/** Read by other tools; nothing in it concerns the platform. */
export const anyTable = z.record(z.string(), z.unknown());
