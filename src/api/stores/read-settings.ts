import { WhorlError } from '#contract/errors.js';
import { KeyValueStoreConfig, SqliteDatabaseConfig } from '#contract/runtime-config.js';
import type { StoreKind } from '#contract/store-file.js';
import { maskedIn, problemsOf } from '../runtime-config/read-config.js';
import type { StoreSettings } from './store-links.service.js';

/** Checks the settings of a store. Throws API_INPUT_INVALID with every bad key by name. */
export function readSettings(kind: StoreKind, given: Record<string, unknown>): StoreSettings {
  const schema = kind === 'key-value' ? KeyValueStoreConfig : SqliteDatabaseConfig;
  const parsed = schema.safeParse(given);
  const problems = [...(parsed.success ? [] : parsed.error.issues.flatMap(problemsOf)), ...maskedIn(given, [])];
  if (parsed.success && 'path' in parsed.data) problems.push(['path', 'a store has a file of its own: leave the path out']);
  if (problems.length === 0 && parsed.success) return parsed.data;
  const fields: Record<string, string[]> = {};
  for (const [path, message] of problems) (fields[path] ??= []).push(message);
  throw new WhorlError('API_INPUT_INVALID', problems.map(([path, message]) => `${path}: ${message}`).join(', '), { fields });
}
