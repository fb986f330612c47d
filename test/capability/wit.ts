import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A function of an interface, by the name that a component imports it under. */
export interface WitFunction {
  iface: string;
  name: string;
  async: boolean;
}

const builtin = join(import.meta.dirname, '../../node_modules/@bytecodealliance/jco/lib/wit/builtin');

/** The functions of one WASI package as jco ships its WIT; those behind a feature gate are left out. */
export function wasiFunctions(version: '0.2.12' | '0.3.0', pkg: string): WitFunction[] {
  return functionsOf(readFileSync(join(builtin, version, `wasi-${pkg}`, 'package.wit'), 'utf8'));
}

/** Reads interfaces, resources and functions; enough of WIT for packages that are known to be valid. */
function functionsOf(source: string): WitFunction[] {
  const clean = source.replace(/\/\/.*$/gm, '').replace(/@unstable\([^)]*\)\s*(?:interface|record|use|resource)?[^{;]*?(?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|;)/g, '');
  const [, pkg, version] = /package ([\w:-]+)@([\w.-]+);/.exec(clean)!;
  const found: WitFunction[] = [];
  for (const [, name, body] of clean.matchAll(/\binterface ([\w-]+) \{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}/g)) {
    const iface = `${pkg}/${name}@${version}`;
    const outside = body!.replace(/\bresource ([\w-]+) \{([^{}]*)\}/g, (_all, resource: string, members: string) => {
      if (/\bconstructor\(/.test(members)) found.push({ iface, name: `[constructor]${resource}`, async: false });
      for (const [, method, kind] of members.matchAll(/%?([\w-]+):\s*((?:static |async )*)func\(/g)) {
        found.push({ iface, name: `[${kind!.includes('static') ? 'static' : 'method'}]${resource}.${method}`, async: kind!.includes('async') });
      }
      return '';
    });
    for (const [, method, kind] of outside.matchAll(/%?([\w-]+):\s*((?:async )?)func\(/g)) found.push({ iface, name: method!, async: kind !== '' });
  }
  return found;
}
