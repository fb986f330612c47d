import { isDeepStrictEqual } from 'node:util';
import type { Explanation } from '../placement/explain.js';
import type { FleetMemory } from '../placement/fleet-memory.js';
import type { Decisions } from '../placement/placer.js';

/** How the fleet stands, as the leader last saw it: for whoever asks any control plane. */
export interface LeadSummary {
  frozen: { sinceMs: number; reason: string } | null;
  /** Channels with fewer replicas than they must have: how many, and the first of them by name. */
  short: { count: number; channels: string[] };
  /** Nodes with more than fits. */
  over: string[];
  /** Moves under way. */
  moving: number;
}

/** What the leader says of a channel that it is asked about. */
export interface PlacementAnswer {
  /** null: it does not know the channel yet. */
  explanation: Explanation | null;
  /** Why it has as many replicas; null: it is not in use. */
  scaling: string | null;
}

const NAMED = 50;

/** @param nameOf of a channel's id, `app/channel` */
export function toSummary({ fleet, short, over, moving }: Decisions, nameOf: (id: string) => string | undefined): LeadSummary {
  return {
    frozen: fleet.frozen && { sinceMs: fleet.frozen.sinceMs, reason: fleet.frozen.reason },
    short: { count: short.length, channels: short.slice(0, NAMED).map((id) => nameOf(id) ?? id).sort() },
    over: over.slice(0, NAMED),
    moving,
  };
}

/** Equal but for the time of the last pass, which is kept beside it. */
export function isSameFleet(a: FleetMemory | undefined, b: FleetMemory): boolean {
  return a !== undefined && isDeepStrictEqual({ ...a, lastPassMs: null }, { ...b, lastPassMs: null });
}
