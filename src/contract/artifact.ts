import { z } from 'zod';
import { LockedApp } from './bundle/locked-app.js';
import { Digest, VersionNumber } from './ids.js';

/** How the exports of a component answer HTTP (Spin's HTTP trigger); `command` is `wasi:cli/run`, for the WAGI executor. */
export const HandlerKind = z.enum(['wasi-http-0.2', 'wasi-http-0.3', 'spin-http', 'command']);
export type HandlerKind = z.infer<typeof HandlerKind>;

/** What one dependency of a component asks of the host: what it gets, and what in vain, since it does not inherit it. */
export const BuiltDependency = z.object({
  /** As in the manifest, after the names of those that lead to it: `a:b > c:d`. */
  name: z.string(),
  imports: z.array(z.string()),
  denied: z.array(z.string()),
});
export type BuiltDependency = z.infer<typeof BuiltDependency>;

/** Result of building one component: stored by (component digest, engine version). */
export const BuiltComponent = z.object({
  engine: z.string(),
  /** Of the component's own bytes, or of all that is put together when it has dependencies. */
  component: Digest,
  /** Blob with the JSON of the engine's plan. */
  plan: Digest,
  /** Blobs of the rewritten core modules, in the plan's order. */
  modules: z.array(Digest),
  handlers: z.array(HandlerKind),
  /** What it and its dependencies import from the host, as written there: `wasi:http/types@0.2.3`. */
  imports: z.array(z.string()),
  exports: z.array(z.string()),
  /** Its dependencies, and theirs; absent: none. */
  dependencies: z.array(BuiltDependency).optional(),
  /** True when it was a core module and a component was made of it. */
  componentized: z.boolean(),
});
export type BuiltComponent = z.infer<typeof BuiltComponent>;

/** What a build found out, for people; nodes do not need it. */
export const BuildFacts = z.object({
  /** How an instance gets a fresh state for the next invocation, see docs/adr/0010. */
  reset: z.object({
    mode: z.enum(['in-place', 'new-instances', 'new-memory']),
    /** Only what was written is put back, not the whole memory. */
    cards: z.boolean(),
    /** Why it is no better. */
    reason: z.string().optional(),
  }),
  /** Of one instance, all its memories together. */
  memory: z.object({ initialBytes: z.int().nonnegative(), maximumBytes: z.int().nonnegative() }),
  buildMs: z.int().nonnegative(),
});
export type BuildFacts = z.infer<typeof BuildFacts>;

/** A build as the registry answers it and the control plane keeps it. Builds of before they were noted have no facts. */
export const ComponentBuild = BuiltComponent.extend({ facts: BuildFacts.optional() });
export type ComponentBuild = z.infer<typeof ComponentBuild>;

/** All a node needs to run one version: bytes by digest, nothing to decide. */
export const VersionArtifact = z.object({
  version: VersionNumber,
  digest: Digest,
  app: LockedApp,
  /** By component id. */
  builds: z.record(z.string(), BuiltComponent),
});
export type VersionArtifact = z.infer<typeof VersionArtifact>;
