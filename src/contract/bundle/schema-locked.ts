import { z } from 'zod';
import { anyTable } from './schema.js';

/**
 * The locked app's JSON as `spin registry push` writes it (Spin's `locked-app` crate, `locked.rs`). Fields that are not known are left
 * alone, as Spin does; what is here is looked at more closely by the manifest's own schemas.
 */

/** Where bytes are: in the document itself (base64), in a layer by digest, or on the machine that pushed. */
const Content = z.object({ source: z.string().nullish(), inline: z.string().nullish(), digest: z.string().nullish() });
export type RawContent = z.infer<typeof Content>;

const Dependency = z.object({ source: Content, export: z.string().nullish(), inherit: z.unknown().optional() });
export type RawLockedDependency = z.infer<typeof Dependency>;

const Component = z.object({
  id: z.string(),
  metadata: anyTable.nullish(),
  source: Content,
  env: anyTable.nullish(),
  files: z.array(Content.extend({ path: z.string() })).nullish(),
  config: anyTable.nullish(),
  dependencies: z.record(z.string(), Dependency).nullish(),
  trigger_dependencies: anyTable.nullish(),
  host_requirements: anyTable.nullish(),
});
export type RawLockedComponent = z.infer<typeof Component>;

const Trigger = z.object({ id: z.string(), trigger_type: z.string(), trigger_config: anyTable.nullish(), trigger_dependencies: anyTable.nullish() });
export type RawLockedTrigger = z.infer<typeof Trigger>;

const Variable = z.object({ description: z.string().nullish(), default: z.string().nullish(), secret: z.boolean().nullish() });

export const RawLockedApp = z.object({
  spin_lock_version: z.union([z.literal(0), z.literal(1)], 'only versions 0 and 1 of the format are known'),
  must_understand: z.array(z.string()).nullish(),
  metadata: anyTable.nullish(),
  host_requirements: anyTable.nullish(),
  variables: z.record(z.string(), Variable).nullish(),
  triggers: z.array(Trigger),
  components: z.array(Component),
});
export type RawLockedApp = z.infer<typeof RawLockedApp>;
