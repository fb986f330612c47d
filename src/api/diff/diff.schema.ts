import { z } from 'zod';
import { LockedTrigger, LockedVariable } from '#contract/bundle/locked-app.js';
import { CapabilitySet } from '#contract/capability-sets.js';
import { AppName, Digest, VersionNumber } from '#contract/ids.js';
import { AppParams } from '../apps/app.schema.js';
import { Capability } from './capability.schema.js';

const number = z.coerce.number().pipe(VersionNumber);
export const DiffParams = AppParams.extend({ version: number.describe('The version before.'), other: number.describe('The version after.') });

/** What differs between two tables, by name. */
const changes = <T extends z.ZodType>(value: T) => z.object({
  added: z.array(z.object({ name: z.string(), value })),
  removed: z.array(z.object({ name: z.string(), value })),
  changed: z.array(z.object({ name: z.string(), from: value, to: value })),
});

const Bytes = z.object({ digest: Digest, bytes: z.int() });
const Files = changes(Bytes).extend({ leftOut: z.int().describe('Changes that are not listed, since there are too many.') });
const Dependency = Bytes.extend({ export: z.string().optional(), inherit: z.array(CapabilitySet) });
const Labels = changes(z.null());

const ComponentChange = z.object({
  id: z.string(),
  source: z.object({ from: Bytes, to: Bytes }).nullable().describe('Its code; null: the same.'),
  limits: changes(z.number()),
  environment: changes(z.string()),
  variables: changes(z.string()).describe('Templates over the variables of the app.'),
  files: Files,
  dependencies: changes(Dependency),
  allowedOutboundHosts: Labels,
  keyValueStores: Labels,
  sqliteDatabases: Labels,
  aiModels: Labels,
  other: z.array(z.string()).describe('What else is different: `description`, `reuse`.'),
});
export type ComponentChange = z.infer<typeof ComponentChange>;

export const VersionDiff = z.object({
  app: AppName,
  from: VersionNumber,
  to: VersionNumber,
  application: changes(z.string()).describe('Name, version, description and authors, as the manifest has them.'),
  components: z.object({
    added: z.array(Bytes.extend({ id: z.string(), files: z.int() })),
    removed: z.array(Bytes.extend({ id: z.string(), files: z.int() })),
    changed: z.array(ComponentChange),
  }),
  bytes: z.object({ from: z.int(), to: z.int() }).describe('Of all components, dependencies and files together, each content once.'),
  triggers: changes(LockedTrigger).describe('By id; of an HTTP trigger with its route.'),
  variables: changes(LockedVariable).describe('What the manifests declare; values belong to the app and not to a version.'),
  manifest: z.string().nullable().describe('The difference of the texts, in the unified format; null: they are the same.'),
  capabilities: z.object({
    added: z.array(Capability).describe('What the version after asks for and the one before does not.'),
    removed: z.array(Capability),
  }),
});
export type VersionDiff = z.infer<typeof VersionDiff>;
export type VersionDifference = Omit<VersionDiff, 'app'>;

/** So many changes of files are listed for each component. */
export const MOST_FILES = 500;
