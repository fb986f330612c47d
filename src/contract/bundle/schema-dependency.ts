import { z } from 'zod';
import { CapabilitySet } from '../capability-sets.js';
import { checkKebabId } from './identifiers.js';
import { checked, choose, isTable, table } from './schema.js';

/** `[component.<id>.dependencies]` of a version 2 manifest (Spin's manifest). */

const RawInherit = choose<boolean | CapabilitySet[]>((value) => {
  if (typeof value === 'boolean') return z.boolean();
  return Array.isArray(value) ? z.array(CapabilitySet) : 'expected true, false or an array of capabilities';
});

const common = { export: z.string().optional(), inherit_configuration: RawInherit.optional() };
const Path = table({ path: z.string(), ...common });
const Url = table({ url: z.string(), digest: z.string().regex(/^sha256:[0-9a-f]{64}$/, 'expected sha256:<64 hex digits>'), ...common });
const Component = table({ component: checked(checkKebabId), ...common });
const Package = table({ version: z.string(), registry: z.string().optional(), package: z.string().optional(), ...common });

type Table = z.infer<typeof Path> | z.infer<typeof Url> | z.infer<typeof Component> | z.infer<typeof Package>;

/** A string is the version of a package in a package registry. */
export const RawDependency = choose<string | Table>((value) => {
  if (typeof value === 'string') return z.string();
  if (!isTable(value)) return 'expected { path }, { component }, { url, digest } or a version';
  if ('path' in value) return Path;
  if ('url' in value || 'digest' in value) return Url;
  return 'component' in value ? Component : Package;
});
export type RawDependency = z.infer<typeof RawDependency>;

export const RawDependencies = z.record(z.string(), RawDependency);
