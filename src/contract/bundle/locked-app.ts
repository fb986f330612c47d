import { z } from 'zod';
import { Digest } from '../ids.js';
import { ComponentLimits } from './component-limits.js';
import { ComponentReuse } from './component-reuse.js';
import { LockedDependency } from './locked-dependency.js';

/**
 * The locked app: a manifest with every reference resolved to a digest. It is what stages after the bundle read; its terms are
 * those of Spin's manifest. One arrow: bundle ──manifest──▶ registry.
 */

/** `path` is absolute in the guest and normalised: `/assets/logo.png`. */
export const LockedFile = z.object({ path: z.string(), digest: Digest, bytes: z.int().nonnegative() });
export type LockedFile = z.infer<typeof LockedFile>;

export const LockedVariable = z.object({
  description: z.string().optional(),
  /** Absent means required. */
  default: z.string().optional(),
  secret: z.boolean(),
});
export type LockedVariable = z.infer<typeof LockedVariable>;

export const LockedComponent = z.object({
  id: z.string(),
  description: z.string().optional(),
  /** Of the component's bytes as they were in the bundle (a component or a core module). */
  source: Digest,
  sourceBytes: z.int().nonnegative(),
  environment: z.record(z.string(), z.string()),
  files: z.array(LockedFile),
  /** Templates over the app's variables: `{{ name }}`. */
  variables: z.record(z.string(), z.string()),
  allowedOutboundHosts: z.array(z.string()),
  keyValueStores: z.array(z.string()),
  sqliteDatabases: z.array(z.string()),
  aiModels: z.array(z.string()),
  limits: ComponentLimits,
  /** Absent: each request gets a fresh instance. */
  reuse: ComponentReuse.optional(),
  /** Components that satisfy imports of this one; absent: none. */
  dependencies: z.array(LockedDependency).optional(),
});
export type LockedComponent = z.infer<typeof LockedComponent>;

export const StaticResponse = z.object({
  status: z.int().min(100).max(599),
  headers: z.record(z.string(), z.string()),
  body: z.string().optional(),
});
export type StaticResponse = z.infer<typeof StaticResponse>;

export const HttpExecutor = z.discriminatedUnion('type', [
  z.object({ type: z.literal('http') }),
  z.object({ type: z.literal('wagi'), argv: z.string() }),
]);
export type HttpExecutor = z.infer<typeof HttpExecutor>;

/** Exactly one of `component` and `staticResponse`. A private trigger has no route: it is reached by service chaining alone. */
export const LockedHttpTrigger = z.object({
  type: z.literal('http'),
  id: z.string(),
  route: z.string().nullable(),
  component: z.string().optional(),
  staticResponse: StaticResponse.optional(),
  executor: HttpExecutor,
});
export type LockedHttpTrigger = z.infer<typeof LockedHttpTrigger>;

/** A new kind of trigger is one more member here. */
export const LockedTrigger = z.discriminatedUnion('type', [LockedHttpTrigger]);
export type LockedTrigger = z.infer<typeof LockedTrigger>;

export const LockedApp = z.object({
  /** `application.name`, `.version`, … of the manifest: shown, never used as an identity. */
  name: z.string(),
  version: z.string(),
  description: z.string(),
  authors: z.array(z.string()),
  variables: z.record(z.string(), LockedVariable),
  triggers: z.array(LockedTrigger),
  components: z.array(LockedComponent),
});
export type LockedApp = z.infer<typeof LockedApp>;
