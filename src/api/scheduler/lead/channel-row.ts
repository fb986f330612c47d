import { z } from 'zod';
import { TrafficShare } from '#contract/assignment.js';
import type { RuntimeGrant } from '#contract/runtime-grant.js';
import { appStoreFile } from '#contract/store-file.js';
import type { PlacementChannel } from '../placement/placement-channel.js';
import type { Resources } from '../placement/resources.js';
import { type ChannelScale, DEFAULT_SCALE } from '../scale/channel-scale.js';

/** A channel as it stands in the tables, as far as placement goes by it. */
export const ChannelRow = z.object({
  id: z.string(),
  appId: z.string(),
  org: z.string(),
  app: z.string(),
  channel: z.string(),
  firstGeneration: z.int(),
  serve: z.array(TrafficShare),
  /** Numbers of all versions that nodes are to have. */
  held: z.array(z.int()),
  isGone: z.boolean(),
});
export type ChannelRow = z.infer<typeof ChannelRow>;

/** Of what nodes are to have of a channel. */
export interface HeldFacts {
  /** By version: the engines that it is built for, or going to be. */
  engines: readonly (readonly string[])[];
  keyValueStores: readonly string[];
  sqliteDatabases: readonly string[];
}

/** Stores of the channel that are files of a node, each by a name that all who share it have in common. */
export function storesInFiles({ org, app }: Pick<ChannelRow, 'org' | 'app'>, { keyValueStores, sqliteDatabases }: HeldFacts, grant: Pick<RuntimeGrant, 'keyValueStores' | 'sqliteDatabases'>): string[] {
  const files = [
    ...keyValueStores.flatMap((label) => fileOf(grant.keyValueStores[label], appStoreFile(app, 'key-value', label))),
    ...sqliteDatabases.flatMap((label) => fileOf(grant.sqliteDatabases[label], appStoreFile(app, 'sqlite', label))),
  ];
  return [...new Set(files)].map((file) => `${org}/${file}`).sort();
}

/** Without a configuration it is a file of the app's own. */
function fileOf(backend: RuntimeGrant['keyValueStores'][string] | RuntimeGrant['sqliteDatabases'][string] | undefined, own: string): string[] {
  if (!backend) return [own];
  return backend.type === 'spin' ? [backend.file] : [];
}

/** The engines that everything is built for. Where no node runs one of them, any: its rollout is to say so, and what is served stays. */
export function enginesFor({ engines }: Pick<HeldFacts, 'engines'>, fleet: readonly string[]): string[] {
  const common = fleet.filter((engine) => engines.every((builds) => builds.includes(engine)));
  return common.length > 0 ? common : [...fleet];
}

/** What the autoscaler and the measures say of a channel. */
export interface ChannelDemand {
  wanted: number;
  demand: Resources;
}

export interface ChannelInput {
  row: ChannelRow;
  facts: HeldFacts;
  scale: ChannelScale | null;
  stateGroup: string | null;
  /** Of all nodes together. */
  fleetEngines: readonly string[];
  measured: ChannelDemand;
}

/** A channel as placement sees it. */
export function toPlacementChannel({ row, facts, scale, stateGroup, fleetEngines, measured }: ChannelInput): PlacementChannel {
  const { min, max, reserve, affinity, tolerations } = scale ?? DEFAULT_SCALE;
  return {
    key: row.id,
    name: `${row.app}/${row.channel}`,
    replicas: row.held.length === 0 ? { min: 0, max: 0, wanted: 0 } : { min, max: max ?? UNBOUNDED, wanted: measured.wanted },
    demand: measured.demand,
    reserve,
    engines: enginesFor(facts, fleetEngines),
    capabilities: [],
    affinity,
    tolerations,
    stateGroup,
  };
}

/** More than there will be nodes: a whole number that JSON can hold. */
const UNBOUNDED = 1_000_000;
