import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { WhorlError } from '#contract/errors.js';
import { CLIENT_TLS_FILES, type RuntimeConfig } from '#contract/runtime-config.js';
import { parseText, toRuntimeConfig } from './read-config.js';

/**
 * Reads a configuration file: JSON when its name ends so, else TOML. Files that `client_tls` names, relative to its folder, are read with it.
 * Throws API_RUNTIME_CONFIG_INVALID.
 */
export async function loadConfigFile(path: string): Promise<RuntimeConfig> {
  const value = parseText(await read(path), path.endsWith('.json') ? 'json' : 'toml');
  const { client_tls: tls } = (value ?? {}) as { client_tls?: unknown };
  if (Array.isArray(tls)) for (const entry of tls) await inline(entry, dirname(path));
  return toRuntimeConfig(value);
}

/** What is not well-formed is left to the schema to find. */
async function inline(entry: unknown, folder: string): Promise<void> {
  if (typeof entry !== 'object' || entry === null) return;
  const table = entry as Record<string, unknown>;
  for (const [fileKey, textKey] of Object.entries(CLIENT_TLS_FILES)) {
    const file = table[fileKey];
    if (typeof file !== 'string' || textKey in table) continue;
    table[textKey] = await read(resolve(folder, file));
    delete table[fileKey];
  }
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new WhorlError('API_RUNTIME_CONFIG_INVALID', `WHORL_RUNTIME_CONFIG: ${path} cannot be read: ${(error as NodeJS.ErrnoException).code}`, { cause: error });
  }
}
