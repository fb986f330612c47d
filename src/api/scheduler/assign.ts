import type { VersionArtifact } from '#contract/artifact.js';
import type { Assignment, TrafficShare } from '#contract/assignment.js';
import { hostOf } from '#contract/hosts.js';
import type { RuntimeGrant } from '#contract/runtime-grant.js';
import type { Shadow } from '#contract/shadow.js';

/** One channel of one app, as desired. */
export interface DesiredChannel {
  org: string;
  app: string;
  channel: string;
  generation: number;
  serve: TrafficShare[];
  /** Chooses among them; null or absent: cookie or address. */
  keyHeader?: string | null;
  /** Which version gets copies of requests; null or absent: none. */
  shadow?: Shadow | null;
  /** Served before, kept warm for a rollback. */
  previousVersion: number | null;
  /** Versions of rollouts under way. */
  candidates: number[];
  variables: Record<string, string>;
  variablesRevision: number;
  runtime: RuntimeGrant;
  /** The artifacts of the versions named above, as far as they are built for the node's engine. */
  artifacts: ReadonlyMap<number, VersionArtifact>;
}

/** Numbers of the versions that nodes hold for the channel, ascending. */
export function heldVersions({ serve, previousVersion, candidates }: Pick<DesiredChannel, 'serve' | 'previousVersion' | 'candidates'>): number[] {
  const held = new Set([...serve.map((share) => share.version as number), ...candidates]);
  if (previousVersion !== null) held.add(previousVersion);
  return [...held].sort((a, b) => a - b);
}

/** What a node gets of a channel. A version that is not built for its engine is left out until it is. */
export function toAssignment(channel: DesiredChannel, domain: string): Assignment {
  return {
    org: channel.org,
    app: channel.app as Assignment['app'],
    channel: channel.channel as Assignment['channel'],
    generation: channel.generation,
    hosts: [hostOf(channel.app, channel.channel, domain)],
    serve: channel.serve,
    ...(channel.keyHeader && channel.serve.length > 1 && { keyHeader: channel.keyHeader }),
    ...(channel.shadow && { shadow: channel.shadow }),
    versions: heldVersions(channel).flatMap((number) => channel.artifacts.get(number) ?? []),
    variables: channel.variables,
    variablesRevision: channel.variablesRevision,
    runtime: channel.runtime,
  };
}
