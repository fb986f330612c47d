import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Assignment, AssignmentStatus, NodeAssignments, NodeReportInput, SwitchTimes } from '#contract/assignment.js';
import { DEFAULT_CHANNEL, type VersionNumber } from '#contract/ids.js';
import type { JournalReceipt, JournalRecord } from '#contract/journal.js';
import type { ComponentShadow } from '#contract/shadow.js';
import { GROUPS, type NodeSamples, type VersionSample } from '#contract/samples.js';

const HEARTBEAT_MS = 500;

/** A node as the control plane sees it: it polls, prepares, switches and reports over HTTP; what it runs is left out. */
export class SimulatedNode {
  /** What it holds, by app, and by `app/channel` where that is not `production`. */
  readonly held = new Map<string, Assignment>();
  /** Generation and revision that its data plane has switched to, by app. */
  readonly switched = new Map<string, { generation: number; variablesRevision: number }>();
  /** Versions that it cannot prepare: `app/version` and why. */
  readonly broken = new Map<string, { code: string; message: string }>();
  /** While true, it prepares nothing. */
  stuck = false;
  /** While true, it prepares but does not switch. */
  frozen = false;
  /** What it says it gives. */
  /** What it says that its apps take. */
  load: NodeReportInput['load'] = { spanMs: HEARTBEAT_MS, channels: [] };
  limits?: NodeReportInput['limits'];
  /** Where it says that its gateway is. */
  gateway?: NodeReportInput['gateway'];
  private readonly incarnation = randomUUID();
  private readonly stopping = new AbortController();
  private running: Promise<unknown> = Promise.resolve();
  private seq = 0;
  private samplesSeq = 0;
  /** How long its switches took, by app. */
  readonly switchTimes = new Map<string, SwitchTimes>();
  /** Shares that it has switched to, by app, in order. */
  readonly shares = new Map<string, Assignment['serve'][]>();

  constructor(
    public baseUrl: string,
    private readonly token: string,
    readonly name = 'node-1',
    /** What it says it can run. */
    private readonly engines?: string[],
  ) {}

  start(): this {
    this.running = Promise.all([this.poll(), this.beat()]);
    return this;
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** The version that answers for an app; undefined when none does. */
  serving(app: string): number | undefined {
    return this.switched.has(app) ? this.held.get(app)?.serve[0]?.version : undefined;
  }

  /** Takes up what changed in this object (`stuck`, `frozen`, `broken`), and says so. */
  async settle(): Promise<void> {
    for (const [app, assignment] of this.held) {
      const prepared = this.preparedOf(assignment);
      const ready = assignment.serve.every((share) => prepared.includes(share.version));
      if (!ready || this.frozen) continue;
      const isNew = this.switched.get(app)?.generation !== assignment.generation;
      if (isNew) this.switchTimes.set(app, { generation: assignment.generation, switchedMs: 2, lastOldAnswerMs: 3, reportedMs: 4 });
      if (isNew) this.shares.set(app, [...(this.shares.get(app) ?? []), assignment.serve]);
      this.switched.set(app, { generation: assignment.generation, variablesRevision: assignment.variablesRevision });
    }
    await this.report();
  }

  /** Ships records; the numbering goes on from the last call. */
  async ship(records: JournalRecord[], journal = 'runner-1'): Promise<number> {
    const entries = records.map((record) => ({ seq: ++this.seq, record }));
    const response = await this.request('POST', 'journal', { journal, entries });
    return ((await response.json()) as JournalReceipt).nextSeq;
  }

  /** A second of requests to versions of an app, some of which failed, and how answers to copies compare. Answers what can be sent again. */
  async sample(app: string, counts: { version: number; requests: number; errors?: number }[], shadow?: { version: number; components: ComponentShadow[] }): Promise<NodeSamples> {
    const report = { incarnation: this.incarnation, seq: ++this.samplesSeq, channels: [{ app, channel: 'production', samples: counts.map(toSample), ...(shadow && { shadow }) }] } as NodeSamples;
    await this.sendSamples(report);
    return report;
  }

  async sendSamples(report: NodeSamples): Promise<void> {
    const response = await this.request('POST', 'samples', report);
    if (response.status !== 204) throw new Error(`samples: ${response.status} ${await response.text()}`);
  }

  async request(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
    return fetch(`${this.baseUrl}/v1/nodes/${this.name}/${path}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
  }

  private async poll(): Promise<void> {
    let revision = '';
    while (!this.stopping.signal.aborted) {
      try {
        const response = await this.request('GET', `assignments?wait=30&after=${encodeURIComponent(revision)}${this.engines ? `&engines=${this.engines.join()}` : ''}`, undefined, this.stopping.signal);
        if (!response.ok) throw new Error(`${response.status}`);
        const state = (await response.json()) as NodeAssignments;
        revision = state.revision;
        this.take(state);
        await this.settle();
      } catch {
        await sleep(100);
      }
    }
  }

  private async beat(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      await this.report().catch(() => {});
      await sleep(HEARTBEAT_MS, undefined, { signal: this.stopping.signal }).catch(() => {});
    }
  }

  private take(state: NodeAssignments): void {
    // What is not named has not changed.
    for (const assignment of state.assignments) this.held.set(nameOf(assignment), assignment);
    const gone = [...(state.removed ?? []), ...(state.released ?? []).filter((each) => (this.held.get(nameOf(each))?.placement ?? 0) < each.placement), ...state.assignments.filter(({ serve, versions }) => serve.length + versions.length === 0)];
    for (const lane of gone) {
      this.held.delete(nameOf(lane));
      this.switched.delete(nameOf(lane));
    }
  }

  private preparedOf(assignment: Assignment): VersionNumber[] {
    if (this.stuck) return [];
    return assignment.versions.map((artifact) => artifact.version).filter((version) => !this.broken.has(`${assignment.app}/${version}`));
  }

  private statuses(): AssignmentStatus[] {
    return [...this.held.values()].map((assignment) => ({
      app: assignment.app,
      channel: assignment.channel,
      ...(this.switched.get(nameOf(assignment)) ?? { generation: 0, variablesRevision: 0 }),
      ...(this.switchTimes.has(nameOf(assignment)) && { switched: this.switchTimes.get(nameOf(assignment))! }),
      ...(assignment.placement !== undefined && { placement: assignment.placement }),
      prepared: this.preparedOf(assignment),
      failed: assignment.versions.flatMap(({ version }) => {
        const reason = this.broken.get(`${assignment.app}/${version}`);
        return reason ? [{ version, ...reason }] : [];
      }),
    }));
  }

  private async report(): Promise<void> {
    const report: NodeReportInput = { node: this.name as NodeReportInput['node'], incarnation: this.incarnation, runners: 2, ...(this.engines && { engines: this.engines }), ...(this.limits && { limits: this.limits }), ...(this.gateway && { gateway: this.gateway }), sequence: Date.now(), load: this.load, statuses: this.statuses() };
    const response = await this.request('PUT', 'report', report);
    if (!response.ok) throw new Error(`report: ${response.status} ${await response.text()}`);
  }
}

const nameOf = ({ app, channel }: { app: string; channel: string }): string => (channel === DEFAULT_CHANNEL ? app : `${app}/${channel}`);

/** Requests that took a millisecond each, spread over the groups. */
function toSample({ version, requests, errors = 0 }: { version: number; requests: number; errors?: number }): VersionSample {
  const durations = requests > 0 ? [159, requests] : [];
  const part = (whole: number, group: number): number => Math.floor(whole / GROUPS) + (group < whole % GROUPS ? 1 : 0);
  const groups = Array.from({ length: GROUPS }, (_, group) => [part(requests, group), part(errors, group), 0]).flat();
  return { version: version as VersionNumber, component: 'web', started: requests, requests, errors, traps: 0, limits: 0, overdue: 0, latency: durations, cpu: durations, groups };
}
