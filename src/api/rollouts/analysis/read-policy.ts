import type { z } from 'zod';
import { isTable } from '#contract/bundle/schema.js';
import { AnalysisPolicy } from './policy.js';

/**
 * `[application.tool.whorl.analysis]` of a manifest: the policy's keys in snake case.
 * @returns the policy, or each problem with the key it is of, as the manifest writes it
 */
export function readPolicy(raw: unknown): AnalysisPolicy | { problems: Problem[] } {
  const read = readSnake(AnalysisPolicy, raw);
  return 'problems' in read ? read : read.value;
}

export interface Problem {
  key: string;
  message: string;
}

/** A table of a manifest, whose keys are those of `schema` in snake case. */
export function readSnake<T>(schema: z.ZodType<T>, raw: unknown): { value: T } | { problems: Problem[] } {
  const wrong = notSnake(raw, []);
  if (wrong.length > 0) return { problems: wrong };
  const parsed = schema.safeParse(renamed(raw, toCamel));
  if (parsed.success) return { value: parsed.data };
  const problems = parsed.error.issues.flatMap((issue) => {
    const at = (extra: string[]): string => [...issue.path.map(String), ...extra].map(toSnake).join('.');
    return issue.code === 'unrecognized_keys' ? issue.keys.map((key) => ({ key: at([key]), message: 'unknown key' })) : [{ key: at([]), message: issue.message }];
  });
  return { problems };
}

/** Keys that mean something only once they are changed: one spelling is enough. */
function notSnake(value: unknown, path: string[]): Problem[] {
  if (!isTable(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const at = [...path, key];
    return /[A-Z]/.test(key) ? [{ key: at.join('.'), message: `unknown key; write ${toSnake(key)}` }] : notSnake(inner, at);
  });
}

function renamed(value: unknown, rename: (key: string) => string): unknown {
  if (!isTable(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [rename(key), renamed(inner, rename)]));
}

const toCamel = (key: string): string => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
const toSnake = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
