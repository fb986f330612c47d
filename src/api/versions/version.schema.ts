import { z } from 'zod';
import { BuildFacts, HandlerKind } from '#contract/artifact.js';
import { ComponentLimits } from '#contract/bundle/component-limits.js';
import { ComponentReuse } from '#contract/bundle/component-reuse.js';
import { ImageTrust } from '#contract/image-trust.js';
import { AppName, BlobDigest, ChannelName, Digest, VersionNumber } from '#contract/ids.js';
import { AppParams } from '../apps/app.schema.js';
import { Capability } from '../diff/capability.schema.js';
import { MAX_WAIT_S, StartQuery } from '../rollouts/rollout.schema.js';
import { PlanFlag, type RolloutPlan } from '../rollouts/plan.schema.js';
import { PushStrategy } from '../rollouts/settings.js';
import { Source, SourceQuery } from './source.js';

/** What a push answers: with `plan` what it would change. */
export type PushAnswer = { created: boolean; view: PushView | RolloutPlan };

/** The `.tar.gz` types that curl users and tools send. */
export const BUNDLE_TYPES = ['application/gzip', 'application/x-gzip', 'application/octet-stream'] as const;

export const VersionParams = AppParams.extend({ version: z.coerce.number().pipe(VersionNumber).describe('Number of the version.') });

export const PushQuery = StartQuery.extend({
  ...SourceQuery.shape,
  plan: PlanFlag,
  channel: ChannelName.optional().describe('The channel that the version is rolled out in; without it `production`, where a rule of that does not say otherwise. Other channels follow their rules, but for `rollout=none`.'),
  rollout: PushStrategy.optional(),
  wait: z.coerce.number().int().min(0).max(MAX_WAIT_S).default(0).describe('Seconds to wait until the version serves or has failed.'),
});
export type PushQuery = z.infer<typeof PushQuery>;

/** Instead of a bundle. */
export const ImagePush = z.strictObject({
  image: z.string().min(1).max(4096).describe(
    'An image: `shop:1.2.0` or `acme/shop@sha256:…` of the built-in registry, `ghcr.io/acme/shop:1.2.0` of any other. What a tag means is looked up once, now.',
  ),
});

const State = z
  .enum(['ready', 'awaiting-approval', 'pending', 'serving', 'failed', 'collected'])
  .describe('ready: stored, not served. awaiting-approval: somebody must agree to what it asks for (GET /v1/apps/{app}/rollouts). pending: its rollout is under way. failed: its last rollout failed, see `reason`. collected: its bytes are deleted; pushed again it is there again.');
const Reason = z.object({ code: z.string(), message: z.string() }).optional().describe('Why the last rollout of the version failed.');

export const PushView = z.object({
  app: AppName,
  version: VersionNumber,
  digest: Digest,
  state: State,
  reason: Reason,
  rollout: z.int().optional().describe('Number of its rollout while that goes on.'),
  operation: z.int().optional().describe('Number of the operation that the rollout is, while it goes on.'),
  asks: z.array(Capability).optional().describe('What they must agree to.'),
  url: z.string(),
  warnings: z.array(z.string()).describe('What is worth changing in the manifest.'),
});
export type PushView = z.infer<typeof PushView>;

export const VersionSummary = z.object({
  app: AppName,
  version: VersionNumber,
  digest: Digest,
  bytes: z.int().describe('Size of the bundle as it was sent, or of all that the image has.'),
  state: State,
  reason: Reason,
  image: z
    .object({ reference: z.string().describe('As it was asked for, in full.'), digest: BlobDigest.describe('What that meant then.') })
    .nullable()
    .describe('The image that it was made of; null: a bundle.'),
  channels: z.array(ChannelName).describe('Those that serve it.'),
  source: Source.nullable().describe('What it was made of, as it was pushed last; null: nobody said.'),
  pinned: z.boolean().describe('It is kept whatever the policy says.'),
  pushedBy: z.string().describe('Name of the token.'),
  createdAt: z.iso.datetime(),
});
export type VersionSummary = z.infer<typeof VersionSummary>;

const Imports = z.array(z.object({
  package: z.string().describe('As in `wasi:http@0.2.3`.'),
  interfaces: z.array(z.string()),
}));

const BuildView = z.object({
  engine: z.string().describe('Version of the engine that it is for.'),
  state: z.enum(['built', 'building', 'failed']).describe('building: not yet there. failed: see `reason`; nodes of another engine that it is built for serve it still.'),
  reason: z.object({ code: z.string(), message: z.string() }).optional(),
});

export const VersionView = VersionSummary.extend({
  manifest: z.string().describe('The text of spin.toml; of an image that `spin registry push` made, its locked app (JSON).'),
  trust: ImageTrust.nullable().describe('Who signed the image that it is made of, and what is attached to that, when the version was made or pushed last; null: it is made of a bundle.'),
  imports: z.array(z.string()).describe('What its components import of the platform, as written in them.'),
  components: z.array(
    z.object({
      id: z.string(),
      digest: Digest,
      bytes: z.int(),
      imports: z.array(z.string()).describe('What it and its dependencies import of the platform.'),
      exports: z.array(z.string()),
      dependencies: z.array(
        z.object({
          name: z.string().describe('As in spin.toml; after " > " what a dependency depends on.'),
          imports: z.array(z.string()).describe('What it imports of the platform and gets.'),
          denied: z.array(z.string()).describe('What it imports of the platform in vain: it does not inherit it.'),
        }),
      ),
      handlers: z.array(HandlerKind),
      reuse: ComponentReuse.nullable().describe('It asks for instances that serve several requests, within what the operator allows; null: each gets a fresh one.'),
      componentized: z.boolean().describe('It was a core module, and was made into a component.'),
      capabilities: Imports.describe('The same imports, by package.'),
      engine: z.string().nullable().describe('Version of the engine that it is built for; null: no build is there.'),
      reset: BuildFacts.shape.reset.nullable().describe(
        'How an instance gets a fresh state for the next invocation, proved from the code. in-place: memory and globals are put back, with `cards` only what ' +
        'was written; new-instances; new-memory. `reason`: why it is no better. One whose start code calls out of it gets new instances all the same.',
      ),
      memory: BuildFacts.shape.memory.nullable().describe('Of one instance: bytes from the start, and at most by its own declaration; the limits of the app and the node come on top.'),
      limits: ComponentLimits.describe('What an invocation of it may use: what it asks for, and no more than the live node that gives least. While no node is live, what it asks for alone.'),
      buildMs: z.int().nullable().describe('Time that its build took.'),
    }),
  ),
  builds: z.array(BuildView).describe('For each version of the engine that it was built for or is to be, the newest first.'),
  previewUrl: z.string().nullable().describe('Where this version alone answers, as long as its bytes are there; null: with the number before it the name of the app is too long for a host.'),
  routes: z.array(z.object({ route: z.string().nullable().describe('null: private'), component: z.string().nullable() })),
  url: z.string(),
});
export type VersionView = z.infer<typeof VersionView>;
