import { Inject, Injectable } from '@nestjs/common';
import type { VersionArtifact } from '#contract/artifact.js';
import type { NodeAssignments } from '#contract/assignment.js';
import type { ControlConfig } from '#platform/config.js';
import { CONTROL_CONFIG } from '#platform/platform.module.js';
import { Wakeups } from '#platform/wakeups.js';
import { ASSIGNMENTS_TOPIC } from '../topics.js';
import { VariablesService } from '../variables/variables.service.js';
import { assign, heldVersions } from './assign.js';
import { SchedulerRepository, type VersionKey } from './scheduler.repository.js';

@Injectable()
export class SchedulerService {
  /** Artifacts never change: those in use are kept, by app and number. */
  private artifacts = new Map<string, VersionArtifact>();

  constructor(
    private readonly repository: SchedulerRepository,
    private readonly variables: VariablesService,
    private readonly wakeups: Wakeups,
    @Inject(CONTROL_CONFIG) private readonly config: ControlConfig,
  ) {}

  /**
   * What a node should hold: at once when it differs from what the node holds (`after`), else when it changes, the time is up or the
   * signal aborts.
   */
  async next(after: string | undefined, waitS: number, signal: AbortSignal): Promise<NodeAssignments> {
    let state = await this.current();
    if (state.revision !== after) return state;
    await this.wakeups.wait(
      [ASSIGNMENTS_TOPIC],
      async () => {
        state = await this.current();
        return state.revision !== after || undefined;
      },
      { timeoutMs: waitS * 1000, signal },
    );
    return state;
  }

  private async current(): Promise<NodeAssignments> {
    const [channels, removed] = await Promise.all([this.repository.channels(), this.repository.removed()]);
    const held = channels.flatMap((channel) => heldVersions(channel).map((number) => ({ appId: channel.appId, number })));
    const artifacts = await this.load(held);
    const values = await this.variables.valuesOf(channels.map((channel) => channel.appId));
    return assign(
      channels.map((channel) => ({
        ...channel,
        variables: values.get(channel.appId) ?? {},
        artifacts: new Map(heldVersions(channel).map((number) => [number, artifacts.get(keyOf({ appId: channel.appId, number }))!])),
      })),
      removed,
      this.config.WHORL_APP_DOMAIN,
    );
  }

  private async load(keys: VersionKey[]): Promise<ReadonlyMap<string, VersionArtifact>> {
    const missing = keys.filter((key) => !this.artifacts.has(keyOf(key)));
    const loaded = missing.length > 0 ? await this.repository.artifacts(missing) : [];
    const known = new Map([...this.artifacts, ...loaded.map((version) => [keyOf(version), version.artifact] as const)]);
    this.artifacts = new Map(keys.map((key) => [keyOf(key), known.get(keyOf(key))!]));
    return this.artifacts;
  }
}

const keyOf = ({ appId, number }: VersionKey): string => `${appId}/${number}`;
