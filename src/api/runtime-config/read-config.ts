import type { z } from 'zod';
import { parseToml } from '#contract/bundle/toml.js';
import { WhorlError } from '#contract/errors.js';
import { RuntimeConfig } from '#contract/runtime-config.js';
import { MASK } from './mask.js';

export type ConfigFormat = 'toml' | 'json';

/** Messages name this many problems; all of them are in `fields`. */
const SHOWN = 5;
/** Of the mask that GET puts over secrets: it must not come back as a secret. */
const MASKED = [MASK, `:${MASK}@`, `/${MASK}@`, `?${MASK}`];

/** Parses a configuration. Throws API_RUNTIME_CONFIG_INVALID, which says where, and never what stands there: it may be a secret. */
export function readRuntimeConfig(text: string, format: ConfigFormat): RuntimeConfig {
  return toRuntimeConfig(parseText(text, format));
}

/** The tables and keys as they stand in the text. Throws API_RUNTIME_CONFIG_INVALID. */
export function parseText(text: string, format: ConfigFormat): unknown {
  try {
    return format === 'toml' ? parseToml(text).value : JSON.parse(text);
  } catch (error) {
    // The messages of both parsers quote the text.
    const place = /line \d+, column \d+|position \d+/.exec((error as Error).message)?.[0];
    throw new WhorlError('API_RUNTIME_CONFIG_INVALID', `not well-formed ${format.toUpperCase()}${place ? `, ${place}` : ''}`);
  }
}

/** Checks what was parsed. Throws API_RUNTIME_CONFIG_INVALID with every problem by its path. */
export function toRuntimeConfig(value: unknown): RuntimeConfig {
  const parsed = RuntimeConfig.safeParse(value);
  const problems = [...(parsed.success ? [] : parsed.error.issues.flatMap(problemsOf)), ...maskedIn(value, [])];
  if (problems.length === 0 && parsed.success) return parsed.data;
  throw invalid(problems);
}

function invalid(problems: [path: string, message: string][]): WhorlError {
  const fields: Record<string, string[]> = {};
  for (const [path, message] of problems) (fields[path] ??= []).push(message);
  const shown = problems.slice(0, SHOWN).map(([path, message]) => `${path}: ${message}`);
  const more = problems.length > SHOWN ? [`and ${problems.length - SHOWN} more`] : [];
  return new WhorlError('API_RUNTIME_CONFIG_INVALID', [...shown, ...more].join('; '), { fields });
}

/** What an issue says, with the path of each field that is at fault: an unknown key is one itself. */
export function problemsOf(issue: z.core.$ZodIssue): [path: string, message: string][] {
  const path = issue.path.map(String);
  const name = (parts: string[]): string => parts.join('.') || 'runtime-config';
  if (issue.code === 'unrecognized_keys') {
    const messages = issue.message.split('\n');
    return issue.keys.map((key, i) => [name([...path, key]), messages[i] ?? issue.message]);
  }
  return [[name(path), issue.code === 'invalid_key' ? issue.issues.map(({ message }) => message).join(', ') : issue.message]];
}

/** Where the mask of a secret stands in the place of the secret. */
export function maskedIn(value: unknown, path: string[]): [path: string, message: string][] {
  if (typeof value === 'string') {
    const masked = value === MASK || MASKED.slice(1).some((part) => value.includes(part));
    return masked ? [[path.join('.'), `${MASK} stands for a secret that is not shown: give the secret itself`]] : [];
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => maskedIn(inner, [...path, key]));
}
