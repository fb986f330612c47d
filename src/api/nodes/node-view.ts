import { NodeReport, UNSAID_ENGINES } from '#contract/assignment.js';
import { countStates, type DrainRecord, inState } from './drain-record.js';
import type { NodeRecord } from './node-resource.repository.js';
import type { DrainView, NodeSummary, NodeView } from './node.schema.js';

const iso = (at: Date | number): string => new Date(at).toISOString();

/** A node in a listing. */
export function toSummary(record: NodeRecord): NodeSummary {
  const report = NodeReport.parse(record.report);
  const { zone, labels, taints, capacity, sickness, runners, platform, engines = UNSAID_ENGINES, statuses } = report;
  return {
    name: report.node, state: record.state, wanted: record.wanted, lastSeenAt: iso(record.lastSeen), lostSince: record.state === 'lost' ? iso(record.lastSeen) : null,
    platform: platform ?? null, engines, zone, labels, taints, capacity: capacity ?? null, sickness, runners, channels: statuses.length, load: toLoad(record),
  };
}

/** A node with all that is known of it. */
export function toNodeView(record: NodeRecord): NodeView {
  const { startCount, capabilities, gateway, unshippedBytes, statuses, letGo } = NodeReport.parse(record.report);
  const loads = new Map(record.load?.channels.map(({ app, channel, ...load }) => [`${app}/${channel}`, load]));
  return {
    ...toSummary(record), firstSeenAt: iso(record.createdAt), startCount, capabilities, gateway, unshippedBytes,
    holds: statuses.map((status) => ({ ...status, ready: status.generation > 0, load: loads.get(`${status.app}/${status.channel}`) ?? null })),
    drain: record.drain && toDrainView(record.drain, letGo.underWay),
  };
}

function toLoad({ load }: NodeRecord): NodeSummary['load'] {
  if (!load) return null;
  const seconds = Math.max(load.spanMs, 1) / 1_000;
  const sum = (of: (channel: { inFlight: number; requests: number; cpuMs: number }) => number): number => load.channels.reduce((all, channel) => all + of(channel), 0);
  return { inFlight: sum(({ inFlight }) => inFlight), requestsPerSecond: sum(({ requests }) => requests) / seconds, milliCores: Math.round(sum(({ cpuMs }) => cpuMs) / seconds) };
}

function toDrainView(drain: DrainRecord, underWay: number): DrainView {
  const { moved, moving, ended } = countStates(drain);
  return {
    operation: drain.operation, by: drain.by, startedAt: iso(drain.startedAtMs), endedAt: drain.endedAtMs === null ? null : iso(drain.endedAtMs), cancelled: drain.cancelled,
    moved, moving, ended, waiting: inState(drain, 'waiting'), kept: inState(drain, 'kept'),
    finished: drain.finished, dropped: drain.dropped, underWay: drain.endedAtMs === null ? underWay : 0, complete: !drain.restarted,
  };
}

/** What goes into If-Match: the operator's wish, which is what requests change. */
export const etagOfNode = ({ wanted, wantedAt }: Pick<NodeRecord, 'wanted' | 'wantedAt'>): string => `"${wanted}.${wantedAt?.getTime() ?? 0}"`;

/** Channels that the node said it holds, as `<app>/<channel>`. */
export const heldBy = ({ report }: Pick<NodeRecord, 'report'>): string[] => NodeReport.parse(report).statuses.map(({ app, channel }) => `${app}/${channel}`);

/** What is on the node alone as far as it said, by name. @param bound channels that it holds and that are bound to it, and why */
export function onlyThere({ report, state }: NodeRecord, bound: ReadonlyMap<string, string>): string[] {
  const { unshippedBytes } = NodeReport.parse(report);
  const kept = [...bound].map(([key, reason]) => `${key}: ${reason}`);
  const journals = unshippedBytes > 0 ? [`journals: ${unshippedBytes} bytes of usage and logs that were not sent${state === 'lost' ? ' when it was last heard of' : ''}`] : [];
  return [...kept, ...journals];
}
