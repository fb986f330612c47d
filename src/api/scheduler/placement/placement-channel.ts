import { plus, type Resources } from './resources.js';

/** A rule on a node's labels. */
export interface LabelRule {
  label: string;
  operator: 'in' | 'not-in';
  /** A node without the label is `not-in`. */
  values: readonly string[];
}

/** Without `value`: the taint of that key whatever its value. */
export interface Toleration {
  key: string;
  value?: string;
}

/** One channel of one app, as desired: what is to be placed. */
export interface PlacementChannel {
  /** Never used again for another channel: the channel's id. */
  key: string;
  /** For people: `app/channel`. */
  name: string;
  replicas: {
    min: number;
    /** 0: there is nothing to serve, and no node holds it. */
    max: number;
    /** The autoscaler's word, taken as far as it lies between the two. 0: held on disk only. */
    wanted: number;
  };
  /** Of one replica, as measured. Smooth it before: what changes with each measurement moves replicas. */
  demand: Resources;
  /** Kept free beside each replica, so that the version before can be served again at once. */
  reserve: Resources;
  /** Engines that all its versions are built for. */
  engines: readonly string[];
  /** Names that a node must have among its capabilities. */
  capabilities: readonly string[];
  affinity: { required: readonly LabelRule[]; preferred: readonly LabelRule[] };
  tolerations: readonly Toleration[];
  /** Names the node-local state that it shares with all channels of the same group; null: it has none and may move and be doubled. */
  stateGroup: string | null;
}

/** What a node gives up for one replica that is active. */
export function needOf(channel: PlacementChannel): Resources {
  return plus(channel.demand, channel.reserve);
}

/** Active replicas that it should have; 0: on disk only. */
export function targetOf({ replicas: { min, max, wanted }, stateGroup }: PlacementChannel): number {
  return Math.min(Math.max(wanted, min), max, stateGroup === null ? Infinity : 1);
}

/** Active replicas that it must have before others get more than they must have. */
export function leastOf(channel: PlacementChannel): number {
  return Math.min(channel.replicas.min, targetOf(channel));
}
