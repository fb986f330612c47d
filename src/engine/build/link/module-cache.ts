import { readCoreModule, type CoreModule } from '#engine/build/core/core-module.js';
import type { Definition } from '#engine/build/decode/ast.js';

type ModuleDefinition = Extract<Definition, { k: 'core module' }>;

/** The core modules of one component, each read and checked once however often it is instantiated. */
export class ModuleCache {
  private readonly modules = new Map<ModuleDefinition, CoreModule>();

  /** Throws `RewriteError` for a module that is not valid or not covered. */
  get(def: ModuleDefinition): CoreModule {
    let module = this.modules.get(def);
    if (module === undefined) {
      module = readCoreModule(def.bytes, `core module ${this.modules.size} (at byte ${def.offset})`);
      this.modules.set(def, module);
    }
    return module;
  }
}
