import { z } from 'zod';
import { VersionArtifact } from './artifact.js';
import { ComponentLimits } from './bundle/component-limits.js';
import { AppName, ChannelName, NodeName, VersionNumber } from './ids.js';
import { MessageOrder, NodeFacts, NodeLoad } from './node-facts.js';
import { KeyHash } from './node-identity.js';
import { NO_RUNTIME_GRANT, RuntimeGrant } from './runtime-grant.js';
import { Signature } from './statement.js';
import { Shadow } from './shadow.js';

/** Arrow scheduler ──assignment──▶ node. A node holds the whole of it on disk and serves from it alone. */

/** One version and its share of the channel's traffic; the shares of a deployment add up to 100. */
export const TrafficShare = z.object({ version: VersionNumber, percent: z.number().min(0).max(100) });
export type TrafficShare = z.infer<typeof TrafficShare>;

/**
 * One channel of one app on this node. The node prepares every version in `versions` (fetched, compiled, one instance made, in every
 * runner) and serves `serve` as soon as all it names are prepared. A version that is prepared but not served is a candidate of a
 * rollout, or the last one served, kept warm for a rollback.
 */
export const Assignment = z.object({
  org: z.string(),
  app: AppName,
  channel: ChannelName,
  /** Grows with each change of the deployment; a node never goes back to an older one. */
  generation: z.int().nonnegative(),
  hosts: z.array(z.string()),
  serve: z.array(TrafficShare),
  /** While several versions are served: the request header field whose value chooses; absent, or not sent: a cookie or the client's address. */
  keyHeader: z.string().optional(),
  /** While copies of requests go to a version that serves nobody; it is one of `versions`. */
  shadow: Shadow.optional(),
  versions: z.array(VersionArtifact),
  /** Values of the app's variables, secret ones included. */
  variables: z.record(z.string(), z.string()),
  /** Grows with each change of the values, and of `runtime`. */
  variablesRevision: z.int().nonnegative(),
  /** The operator's runtime configuration for it. */
  runtime: RuntimeGrant.default(NO_RUNTIME_GRANT),
  /** The generation of the channel's placement that put it on this node; the node says it back. Absent: from a control plane that places nothing. */
  placement: z.int().nonnegative().optional(),
});
export type Assignment = z.infer<typeof Assignment>;

/** A channel that is gone for good: nodes drop what they hold of it up to this generation. */
export const RemovedChannel = z.object({ app: AppName, channel: ChannelName, generation: z.int().nonnegative() });
export type RemovedChannel = z.infer<typeof RemovedChannel>;

/**
 * A channel that is not this node's any more, though it is others': the node lets go of what an older placement gave it, and of what belonged
 * to an app of that name before `firstGeneration`. Its state in files stays.
 */
export const ReleasedChannel = z.object({ app: AppName, channel: ChannelName, firstGeneration: z.int().nonnegative(), placement: z.int().nonnegative() });
export type ReleasedChannel = z.infer<typeof ReleasedChannel>;

/** Of what is assigned, by one key of the platform (contract/statement.ts). By channel: `<app>/<channel>`. */
export const Signatures = z.object({ key: KeyHash, assignments: z.record(z.string(), Signature) });
export type Signatures = z.infer<typeof Signatures>;

/**
 * Everything one node should hold, or what has changed of it since the revision that the node holds. `revision` is opaque: the node hands
 * it back to wait for the next state. What is named neither in
 * `assignments` nor in `removed` nor in `released` stays as it is on the node: a control plane that has lost its memory takes nothing down.
 */
export const NodeAssignments = z.object({
  revision: z.string(),
  assignments: z.array(Assignment),
  removed: z.array(RemovedChannel).optional(),
  released: z.array(ReleasedChannel).optional(),
  /** What is gone is not signed: it is done at once, and never kept. */
  signatures: Signatures.optional(),
});
export type NodeAssignments = z.infer<typeof NodeAssignments>;

/** Versions of the engine whose plans a node can run, the preferred one first. */
export const Engines = z.array(z.string().regex(/^[0-9]{1,9}$/)).min(1).max(8);
export type Engines = z.infer<typeof Engines>;
/** What nodes run that do not say. */
export const UNSAID_ENGINES: Engines = ['3'];

/**
 * How long the last switch to another generation took, in ms since the node was told of it, by its own clock. `lastOldAnswerMs`: when the last
 * request had been answered by a version that is not served any more; null: some still ran when it was no longer waited for. `reportedMs`:
 * when it was said.
 */
export const SwitchTimes = z.object({
  generation: z.int().nonnegative(),
  switchedMs: z.number().nonnegative(),
  lastOldAnswerMs: z.number().nonnegative().nullable(),
  reportedMs: z.number().nonnegative(),
});
export type SwitchTimes = z.infer<typeof SwitchTimes>;

/** What a node says of one assignment. `generation` and `variablesRevision`: the ones its data plane has switched to (0: none). */
export const AssignmentStatus = z.object({
  app: AppName,
  channel: ChannelName,
  generation: z.int().nonnegative(),
  variablesRevision: z.int().nonnegative(),
  /** `placement` of the assignment that it acts on. */
  placement: z.int().nonnegative().optional(),
  /** Absent: it has not been switched since the node started. */
  switched: SwitchTimes.optional(),
  prepared: z.array(VersionNumber),
  failed: z.array(z.object({ version: VersionNumber, code: z.string(), message: z.string() })),
});
export type AssignmentStatus = z.infer<typeof AssignmentStatus>;

/** Reports may be lost, come twice or in another order: an older one never replaces a newer one. */
export const NodeReport = z.object({
  ...MessageOrder.shape,
  ...NodeFacts.shape,
  node: NodeName,
  /** Random for each start of the node. */
  incarnation: z.string(),
  runners: z.int().nonnegative(),
  engines: Engines.optional(),
  /** The most that it gives a component of each. */
  limits: ComponentLimits.optional(),
  statuses: z.array(AssignmentStatus),
  load: NodeLoad.optional(),
});
export type NodeReport = z.infer<typeof NodeReport>;
/** As a node writes it: what it leaves out has its default. */
export type NodeReportInput = z.input<typeof NodeReport>;
