import { Inject, Injectable } from '@nestjs/common';
import type { VersionArtifact } from '#contract/artifact.js';
import type { Assignment, Engines } from '#contract/assignment.js';
import type { ControlConfig } from '#platform/config.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import { GrantsService } from '../runtime-config/grants.service.js';
import { VariablesService } from '../variables/variables.service.js';
import { heldVersions, toAssignment } from './assign.js';
import { Bounded } from './bounded.js';
import type { IndexedChannel } from './placed-index.js';
import { type BuiltVersion, type ChannelState, SchedulerRepository, type VersionKey } from './scheduler.repository.js';

type HeldVersion = Omit<VersionKey, 'engine'>;

/** Kept for the other nodes that ask for the same: more than one deployment touches at a time. */
const ASSIGNMENTS_KEPT = 2_000;
const ARTIFACTS_KEPT = 4_000;

/** Makes assignments of channels, for nodes that run certain engines. */
@Injectable()
export class AssignmentsService {
  /** By channel, stamp and engines. */
  private readonly made = new Bounded<Promise<Assignment | undefined>>(ASSIGNMENTS_KEPT);
  /** What is built for an engine never changes. By app, number and engine. */
  private readonly artifacts = new Bounded<BuiltVersion>(ARTIFACTS_KEPT);

  constructor(
    private readonly repository: SchedulerRepository,
    private readonly variables: VariablesService,
    private readonly grants: GrantsService,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
  ) {}

  /** By the channel's id, as it is at its stamp or later; those that are gone meanwhile are left out. */
  async of(channels: readonly IndexedChannel[], engines: Engines): Promise<ReadonlyMap<string, Assignment>> {
    const missing = channels.filter((channel) => !this.made.get(keyOf(channel, engines)));
    if (missing.length > 0) this.begin(missing, engines);
    const found = await Promise.all(channels.map(async (channel) => [channel.id, await this.made.get(keyOf(channel, engines))] as const));
    return new Map(found.flatMap(([id, assignment]) => (assignment ? [[id, assignment] as const] : [])));
  }

  private begin(channels: readonly IndexedChannel[], engines: Engines): void {
    const all = this.load(channels.map(({ id }) => id), engines);
    for (const channel of channels) {
      const key = keyOf(channel, engines);
      const one = all.then((assignments) => assignments.get(channel.id));
      this.made.set(key, one);
      one.catch(() => this.made.delete(key));
    }
  }

  private async load(ids: readonly string[], engines: Engines): Promise<ReadonlyMap<string, Assignment>> {
    const channels = await this.repository.channels(ids);
    const artifacts = await this.loadArtifacts(channels.flatMap(versionsOf), engines);
    // After the revisions: what is newer than its revision is sent again with the next one.
    const [values, grants] = await Promise.all([this.variables.valuesOf(channels), this.grants.of(channels)]);
    return new Map(channels.map((channel, i) => [
      channel.id,
      toAssignment({
        ...channel,
        variables: values[i]!,
        runtime: grants[i]!,
        artifacts: new Map(versionsOf(channel).flatMap((version) => {
          const artifact = artifacts.get(nameOf(version));
          return artifact ? [[version.number, artifact]] : [];
        })),
      }, this.config.WHORL_APP_DOMAIN),
    ]));
  }

  /** By app and number: of each version the build for the first of the engines that there is one for. */
  private async loadArtifacts(held: HeldVersion[], engines: Engines): Promise<ReadonlyMap<string, VersionArtifact>> {
    const wanted = held.flatMap((version) => engines.map((engine) => ({ ...version, engine })));
    const known = new Map(wanted.flatMap((key) => this.artifacts.get(artifactKeyOf(key)) ?? []).map((version) => [artifactKeyOf(version), version]));
    const missing = wanted.filter((key) => !known.has(artifactKeyOf(key)));
    for (const version of missing.length > 0 ? await this.repository.artifacts(missing) : []) {
      known.set(artifactKeyOf(version), version);
      this.artifacts.set(artifactKeyOf(version), version);
    }
    return new Map(held.flatMap((version) => {
      const found = engines.map((engine) => known.get(artifactKeyOf({ ...version, engine }))).find((each) => each !== undefined);
      return found ? [[nameOf(version), found.artifact]] : [];
    }));
  }
}

const versionsOf = (channel: ChannelState): HeldVersion[] => heldVersions(channel).map((number) => ({ appId: channel.appId, number }));
const nameOf = ({ appId, number }: HeldVersion): string => `${appId}/${number}`;
const artifactKeyOf = (key: VersionKey): string => `${nameOf(key)}/${key.engine}`;
const keyOf = ({ id, changed }: IndexedChannel, engines: Engines): string => `${id} ${changed} ${engines.join()}`;
