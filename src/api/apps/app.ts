import type { TrafficShare } from '#contract/assignment.js';
import { WhorlError } from '#contract/errors.js';
import { DEFAULT_CHANNEL } from '#contract/ids.js';

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
  /** Of its rule, lock and freeze windows. */
  revision?: number;
}

/** An app with one of its channels. */
export interface AppRecord {
  id: string;
  name: string;
  lastVersion: number;
  variablesRevision: number;
  createdAt: Date;
  channel: ChannelRecord;
  rollout: { version: number; state: 'progressing' | 'paused'; phase: 'awaiting-approval' | 'preparing' | 'switching' | 'holding' } | null;
}

/** The entity tag of the state of an app in a channel (RFC 9110 §8.8.3): it changes with what is served, with the variables, with each version and with the channel's settings. */
export function etagOf(app: AppRecord): string {
  const { channel, revision } = app.channel;
  return `"${channel === DEFAULT_CHANNEL ? '' : `${channel}.`}${app.channel.generation}.${app.variablesRevision}.${app.lastVersion}.${app.rollout?.version ?? 0}${revision ? `.${revision}` : ''}"`;
}

/** Throws API_STATE_CHANGED when none of the tags is the app's. */
export function requireUnchanged(app: AppRecord, ifMatch: string[] | undefined): void {
  if (ifMatch === undefined || ifMatch.includes(etagOf(app))) return;
  const live = app.channel.serve.map((share) => `version ${share.version} at ${share.percent} %`).join(', ') || 'nothing';
  throw new WhorlError('API_STATE_CHANGED', `${app.name}${suffixOf(app)} is at ${etagOf(app)}: it serves ${live} in generation ${app.channel.generation}, its newest version is ${app.lastVersion}`);
}

/** For messages: which channel, unless it is `production`. */
export function suffixOf({ channel: { channel } }: Pick<AppRecord, 'channel'>): string {
  return channel === DEFAULT_CHANNEL ? '' : ` (channel ${channel})`;
}

/** Whether the channel gives all of its traffic to the version. */
export function servesOnly(channel: Pick<ChannelRecord, 'serve'>, version: number): boolean {
  return channel.serve.length === 1 && channel.serve[0]!.version === version;
}
