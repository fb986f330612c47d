import { readFile } from 'node:fs/promises';
import { BuildError } from './build-error.js';
import type { CoreModule } from './core/core-module.js';
import { Reader } from './decode/reader.js';

/** The module that a WASI preview 1 program imports; also the adapter's name for the toolbox. */
const PREVIEW1 = 'wasi_snapshot_preview1';
const MAX_REASON_LENGTH = 2_000;

/** wit-bindgen leaves the world it was made for in custom sections of this name and a suffix. */
function hasComponentType(module: CoreModule): boolean {
  return module.sections.some(({ id, from, to }) => id === 0 && new Reader(module.bytes, from, to).name().startsWith('component-type'));
}

/** A program (`_start`) becomes a component that exports `wasi:cli/run`; all else is a library whose exports are called. */
export function adapterKind(module: CoreModule): 'command' | 'reactor' {
  const isProgram = module.exports.some(({ type, name }) => type.kind === 'func' && name === '_start');
  return isProgram && !hasComponentType(module) ? 'command' : 'reactor';
}

/**
 * Makes a component of a core module (WASI preview 1, or made by wit-bindgen). Throws `BuildError` of the kind `componentize` with
 * the toolbox's reason.
 */
export async function componentize(module: CoreModule): Promise<Uint8Array> {
  // loaded only here: it costs 100 ms, and most uploads are components already
  const jco = await import('@bytecodealliance/jco');
  const path = adapterKind(module) === 'command' ? jco.preview1AdapterCommandPath() : jco.preview1AdapterReactorPath();
  const adapter = new Uint8Array(await readFile(path));
  try {
    return await jco.componentNew(module.bytes, [[PREVIEW1, adapter]]);
  } catch (error) {
    throw new BuildError('componentize', `the core module cannot be made into a component: ${reason(error)}`, { cause: error });
  }
}

/** The toolbox throws plain strings and errors with a payload; the first line is for people, the rest a back trace. */
function reason(error: unknown): string {
  const payload = error instanceof Error && 'payload' in error ? error.payload : error;
  const text = payload instanceof Error ? payload.message : String(payload);
  return text.slice(0, MAX_REASON_LENGTH).split(/\n\s*(?:Stack backtrace|at )/)[0]!.trim();
}
