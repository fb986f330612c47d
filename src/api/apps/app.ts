import type { TrafficShare } from '#contract/assignment.js';
import { WhorlError } from '#contract/errors.js';

/** What a channel serves. */
export interface ChannelRecord {
  id: string;
  appId: string;
  app: string;
  channel: string;
  generation: number;
  firstGeneration: number;
  serve: TrafficShare[];
  previousVersion: number | null;
}

/** An app with its channel `production`. */
export interface AppRecord {
  id: string;
  name: string;
  lastVersion: number;
  variablesRevision: number;
  createdAt: Date;
  channel: ChannelRecord;
  rollout: { version: number; state: 'progressing' | 'paused'; phase: 'awaiting-approval' | 'preparing' | 'switching' | 'holding' } | null;
}

/** The entity tag of an app's state (RFC 9110 §8.8.3): it changes with what is served, with the variables and with each version. */
export function etagOf(app: AppRecord): string {
  return `"${app.channel.generation}.${app.variablesRevision}.${app.lastVersion}.${app.rollout?.version ?? 0}"`;
}

/** Throws API_STATE_CHANGED when none of the tags is the app's. */
export function requireUnchanged(app: AppRecord, ifMatch: string[] | undefined): void {
  if (ifMatch === undefined || ifMatch.includes(etagOf(app))) return;
  const live = app.channel.serve.map((share) => `version ${share.version} at ${share.percent} %`).join(', ') || 'nothing';
  throw new WhorlError('API_STATE_CHANGED', `${app.name} is at ${etagOf(app)}: it serves ${live} in generation ${app.channel.generation}, its newest version is ${app.lastVersion}`);
}

/** Throws API_CHANNEL_NOT_FOUND unless the app has the channel; undefined stands for all of them. */
export function requireChannel(app: AppRecord, channel: string | undefined): void {
  if (channel === undefined || channel === app.channel.channel) return;
  throw new WhorlError('API_CHANNEL_NOT_FOUND', `${app.name} has no channel ${channel}`);
}

/** Whether the channel gives all of its traffic to the version. */
export function servesOnly(channel: Pick<ChannelRecord, 'serve'>, version: number): boolean {
  return channel.serve.length === 1 && channel.serve[0]!.version === version;
}
