import { z } from 'zod';
import { RawBuild, RawComponent, RawFiles, RawSource, RawTool, RawVariables } from './schema-component.js';
import { RawExecutor, RawRoute } from './schema-v2.js';
import { anyTable, strings, table } from './schema.js';

/** The tables of a version 1 manifest (Spin's manifest). */

const component = RawComponent.shape;

export const RawComponentV1 = table({
  id: z.string().min(1, 'must not be empty'),
  source: RawSource,
  /** Checked by the kind of trigger. */
  trigger: anyTable,
  description: z.string().optional(),
  config: component.variables,
  environment: component.environment,
  files: z.array(RawFiles).optional(),
  exclude_files: strings.optional(),
  allowed_http_hosts: strings.optional(),
  allowed_outbound_hosts: strings.optional(),
  key_value_stores: component.key_value_stores,
  sqlite_databases: component.sqlite_databases,
  ai_models: component.ai_models,
  build: RawBuild.optional(),
  tool: RawTool.optional(),
});
export type RawComponentV1 = z.infer<typeof RawComponentV1>;

export const RawManifestV1 = table({
  spin_manifest_version: z.literal('1').optional(),
  spin_version: z.literal('1').optional(),
  name: z.string().min(1, 'must not be empty'),
  version: z.string().optional(),
  description: z.string().optional(),
  authors: strings.optional(),
  trigger: table({ type: z.string(), base: z.string().optional(), address: z.string().optional() }),
  variables: RawVariables.optional(),
  component: z.array(RawComponentV1),
});

export const RawHttpTriggerV1 = table({ route: RawRoute, executor: RawExecutor.optional() });

