import type { BuiltComponent } from '#contract/artifact.js';
import type { LockedComponent, LockedTrigger } from '#contract/bundle/locked-app.js';
import { WhorlError } from '#contract/errors.js';
import { isSupportedInterface } from '#contract/interfaces.js';
import { httpHandlerExports } from '#engine/build/handlers.js';
import type { BuildFailure } from './build-report.js';

/** Refuses a component that imports what nothing answers (REGISTRY_IMPORT_UNKNOWN), naming component and imports. */
export function checkImports(id: string, built: Pick<BuiltComponent, 'imports' | 'dependencies'>): void {
  const unknown = built.imports.filter((imported) => !isSupportedInterface(imported));
  if (unknown.length === 0) return;
  throw new WhorlError('REGISTRY_IMPORT_UNKNOWN', `component "${id}" imports ${unknown.map((name) => `"${name}"${importedBy(name, built)}`).join(', ')}, which nothing here answers`, { fields: { [`component.${id}.source`]: unknown.map((name) => `imports "${name}"`) } });
}

function importedBy(imported: string, { dependencies = [] }: Pick<BuiltComponent, 'dependencies'>): string {
  const names = dependencies.filter(({ imports }) => imports.includes(imported)).map(({ name }) => `"${name}"`);
  return names.length > 0 ? ` (by the dependency ${names.join(', ')})` : '';
}

/** Refuses a component of which one of the app's triggers could call nothing (REGISTRY_HANDLER_MISSING). */
export function checkHandlers(id: string, triggers: readonly LockedTrigger[], built: Pick<BuiltComponent, 'handlers' | 'exports'>): void {
  for (const trigger of triggers.filter(({ component }) => component === id)) {
    const problem = handlerProblem(trigger, built);
    if (problem) throw new WhorlError('REGISTRY_HANDLER_MISSING', `component "${id}", which trigger "${trigger.id}" calls, ${problem}`, { fields: { [`component.${id}.source`]: [problem] } });
  }
}

function handlerProblem(trigger: LockedTrigger, { handlers, exports }: Pick<BuiltComponent, 'handlers' | 'exports'>): string | undefined {
  const found = `it exports ${exports.length > 0 ? exports.map((name) => `"${name}"`).join(', ') : 'nothing'}`;
  if (trigger.executor.type === 'wagi') return handlers.includes('command') ? undefined : `is no program (wasi:cli/run): ${found}`;
  const http = httpHandlerExports(exports);
  if (http.length === 1) return undefined;
  if (http.length > 1) return `has more than one HTTP handler (${http.map((name) => `"${name}"`).join(', ')}): exactly one is needed`;
  return handlers.includes('command') ? 'is a program (wasi:cli/run) and no HTTP handler: its trigger needs executor = { type = "wagi" }' : `has no HTTP handler: ${found}`;
}

/** Refuses a component whose instances start with more memory than its own limit (REGISTRY_COMPONENT_TOO_LARGE). */
export function checkMemory({ id, limits }: Pick<LockedComponent, 'id' | 'limits'>, initialMemoryBytes: number): void {
  if (limits.memoryBytes !== undefined && initialMemoryBytes > limits.memoryBytes) {
    throw new WhorlError('REGISTRY_COMPONENT_TOO_LARGE', `component "${id}" needs ${initialMemoryBytes} bytes of memory from the start, its memory_bytes is ${limits.memoryBytes}`);
  }
}

/** What the engine refused, with a code of ours. */
export function buildRefusal(id: string, { kind, message, stack }: BuildFailure): WhorlError {
  const code = ({
    'not-wasm': 'REGISTRY_COMPONENT_INVALID',
    malformed: 'REGISTRY_COMPONENT_INVALID',
    invalid: 'REGISTRY_COMPONENT_INVALID',
    componentize: 'REGISTRY_COMPONENT_INVALID',
    unsupported: 'REGISTRY_COMPONENT_UNSUPPORTED',
    limit: 'REGISTRY_COMPONENT_TOO_LARGE',
    mismatch: 'REGISTRY_DEPENDENCY_MISMATCH',
    internal: 'REGISTRY_BUILD_FAILED',
  } as const)[kind];
  return new WhorlError(code, `component "${id}": ${message}`, { cause: stack, fields: { [`component.${id}.source`]: [message] } });
}
