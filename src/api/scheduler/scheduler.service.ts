import { Inject, Injectable } from '@nestjs/common';
import type { VersionArtifact } from '#contract/artifact.js';
import type { Engines, NodeAssignments } from '#contract/assignment.js';
import type { ControlConfig } from '#platform/config.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import { Wakeups } from '#platform/wakeups.js';
import { GrantsService } from '../runtime-config/grants.service.js';
import { ASSIGNMENTS_TOPIC } from '../topics.js';
import { VariablesService } from '../variables/variables.service.js';
import { assign, heldVersions } from './assign.js';
import { Changes } from './changes.js';
import { type BuiltVersion, SchedulerRepository, type VersionKey } from './scheduler.repository.js';
import { SharedLook } from './shared-look.js';

/** What a node asks for. */
export interface AssignmentsPoll {
  /** The revision that it holds. */
  after: string | undefined;
  waitS: number;
  engines: Engines;
}

type HeldVersion = Omit<VersionKey, 'engine'>;

@Injectable()
export class SchedulerService {
  /** What is built for an engine never changes: artifacts in use are kept, by app, number and engine. */
  private readonly artifacts = new Map<string, BuiltVersion>();
  private readonly changes = new Changes();
  /** By the engines that are asked for. */
  private readonly looks = new Map<string, SharedLook<NodeAssignments>>();

  constructor(
    private readonly repository: SchedulerRepository,
    private readonly variables: VariablesService,
    private readonly grants: GrantsService,
    private readonly wakeups: Wakeups,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
  ) {}

  /**
   * What a node should hold, or what has changed of that since the state that it holds (`after`): at once when the two differ, else when
   * it changes, the time is up or the signal aborts.
   */
  async next({ after, waitS, engines }: AssignmentsPoll, signal: AbortSignal): Promise<NodeAssignments> {
    let state = await this.current(engines);
    if (state.revision !== after) return this.changes.since(after, state);
    await this.wakeups.wait(
      [ASSIGNMENTS_TOPIC],
      async () => {
        state = await this.current(engines);
        return state.revision !== after || undefined;
      },
      { timeoutMs: waitS * 1000, signal },
    );
    return this.changes.since(after, state);
  }

  /** Nodes of a fleet wake up together: they share the look. */
  private current(engines: Engines): Promise<NodeAssignments> {
    const key = engines.join();
    let look = this.looks.get(key);
    if (!look) this.looks.set(key, (look = new SharedLook(() => this.look(engines))));
    return look.get();
  }

  private async look(engines: Engines): Promise<NodeAssignments> {
    const [channels, removed] = await Promise.all([this.repository.channels(), this.repository.removed()]);
    const held = channels.flatMap((channel) => heldVersions(channel).map((number) => ({ appId: channel.appId, number })));
    const artifacts = await this.load(held, engines);
    // After the revisions: what is newer than its revision is sent again with the next one.
    const [values, grants] = await Promise.all([this.variables.valuesOf(channels), this.grants.of(channels)]);
    return assign(
      channels.map((channel, i) => ({
        ...channel,
        variables: values[i]!,
        runtime: grants[i]!,
        artifacts: new Map(heldVersions(channel).flatMap((number) => {
          const artifact = artifacts.get(nameOf({ appId: channel.appId, number }));
          return artifact ? [[number, artifact]] : [];
        })),
      })),
      removed,
      this.config.WHORL_APP_DOMAIN,
    );
  }

  /** By app and number: of each version the build for the first of the engines that there is one for. */
  private async load(held: HeldVersion[], engines: Engines): Promise<ReadonlyMap<string, VersionArtifact>> {
    const wanted = held.flatMap((version) => engines.map((engine) => ({ ...version, engine })));
    const missing = wanted.filter((key) => !this.artifacts.has(keyOf(key)));
    const known = new Map(wanted.flatMap((key) => this.artifacts.get(keyOf(key)) ?? []).map((version) => [keyOf(version), version]));
    for (const version of missing.length > 0 ? await this.repository.artifacts(missing) : []) {
      known.set(keyOf(version), version);
      this.artifacts.set(keyOf(version), version);
    }
    const names = new Set(held.map(nameOf));
    for (const [key, version] of this.artifacts) if (!names.has(nameOf(version))) this.artifacts.delete(key);
    return new Map(held.flatMap((version) => {
      const found = engines.map((engine) => known.get(keyOf({ ...version, engine }))).find((each) => each !== undefined);
      return found ? [[nameOf(version), found.artifact]] : [];
    }));
  }
}

const nameOf = ({ appId, number }: HeldVersion): string => `${appId}/${number}`;
const keyOf = (key: VersionKey): string => `${nameOf(key)}/${key.engine}`;
