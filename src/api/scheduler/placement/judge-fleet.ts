import type { FleetMemory, Frozen, NodeMemory } from './fleet-memory.js';
import type { PlacementNode } from './placement-node.js';
import type { PlacementSettings } from './placement-settings.js';

/** What a node is worth to placement. */
export type Standing =
  | { kind: 'live' }
  /** Back, but not for long enough to get anything new. */
  | { kind: 'returned'; sinceMs: number }
  | { kind: 'lost'; silentMs: number | null }
  | { kind: 'removed' };

export interface FleetJudgement {
  memory: FleetMemory;
  /** Of every node that is or was known. */
  standings: ReadonlyMap<string, Standing>;
  /** Taken for lost in this pass. */
  lostNow: ReadonlySet<string>;
}

type GuardSettings = Pick<PlacementSettings, 'lostAfterMs' | 'returnAfterMs' | 'guardWindowMs' | 'settleMs'>;

/**
 * Says which nodes are lost, and whether so many are that rather the view is wrong.
 *
 * Silence counts from when somebody listened: after a gap between passes (a new leader, a database that was away) each node gets the whole
 * time again. When more than half of those that were there are absent or sick, nothing is judged lost until they are back, or, when at most half
 * stays away, for `settleMs` more. Those lost within the last `guardWindowMs` count with them, since an outage does not reach all nodes
 * in the same moment. A node that is not named in `nodes` is absent, not removed.
 */
export function judgeFleet(nodes: readonly PlacementNode[], before: FleetMemory, nowMs: number, settings: GuardSettings): FleetJudgement {
  const gap = before.lastPassMs === null || nowMs - before.lastPassMs > settings.lostAfterMs;
  const observingSinceMs = gap ? nowMs : before.observingSinceMs;
  const named = new Map(nodes.map((node) => [node.name, node]));
  const known = [...new Set([...Object.keys(before.nodes), ...named.keys()])].sort().filter((name) => named.get(name)?.wanted !== 'removed');

  const silentMs = (name: string): number | null => {
    const node = named.get(name);
    if (!node) return null;
    // One that was taken for lost has to be heard of; it is not back because nobody listened.
    const sinceMs = before.nodes[name]?.standing === 'in' ? Math.max(node.lastSeenMs, observingSinceMs) : node.lastSeenMs;
    return nowMs - sinceMs;
  };
  const isAbsent = (name: string): boolean => (silentMs(name) ?? Infinity) > settings.lostAfterMs;

  const frozen = judgeFrozen();
  const next: Record<string, NodeMemory> = {};
  const standings = new Map<string, Standing>();
  const lostNow = new Set<string>();
  for (const name of known) {
    next[name] = frozen ? (before.nodes[name] ?? newcomer(name)) : judge(name);
    standings.set(name, standingOf(name, next[name]));
  }
  for (const { name, wanted } of nodes) if (wanted === 'removed') standings.set(name, { kind: 'removed' });
  return { memory: { lastPassMs: nowMs, observingSinceMs, nodes: next, frozen }, standings, lostNow };

  function judgeFrozen(): Frozen | null {
    const recently = (name: string): boolean => nowMs - (before.nodes[name]?.lostAtMs ?? -Infinity) <= settings.guardWindowMs;
    // One that is drained is meant to go.
    const counted = known.filter((name) => before.nodes[name] && named.get(name)?.wanted !== 'draining' && (before.nodes[name].standing === 'in' || recently(name)));
    const absent = counted.filter(isAbsent).length;
    const sick = counted.filter((name) => !isAbsent(name) && named.get(name)!.sickness !== null).length;
    const sinceMs = before.frozen?.sinceMs ?? nowMs;
    const figures = `${absent} of ${counted.length} nodes absent${sick > 0 ? `, ${sick} sick` : ''}`;
    if ((absent + sick) * 2 > counted.length) return { sinceMs, thawAtMs: nowMs + settings.settleMs, reason: `most nodes vanished at once (${figures}): nothing is moved until they are back or removed` };
    if (!before.frozen || absent + sick === 0 || nowMs >= before.frozen.thawAtMs) return null;
    return { ...before.frozen, reason: `most nodes are back (${figures}): the others have ${Math.ceil((before.frozen.thawAtMs - nowMs) / 1000)} s left` };
  }

  function newcomer(name: string): NodeMemory {
    return isAbsent(name) ? { standing: 'lost', lostAtMs: null, returnedAtMs: null } : { standing: 'in', lostAtMs: null, returnedAtMs: null };
  }

  function judge(name: string): NodeMemory {
    const memory = before.nodes[name] ?? newcomer(name);
    if (memory.standing === 'in' && isAbsent(name)) {
      lostNow.add(name);
      return { standing: 'lost', lostAtMs: nowMs, returnedAtMs: null };
    }
    if (memory.standing === 'lost' && !isAbsent(name)) return { ...memory, standing: 'in', returnedAtMs: nowMs };
    return memory;
  }

  function standingOf(name: string, memory: NodeMemory): Standing {
    if (memory.standing === 'lost' || isAbsent(name)) return { kind: 'lost', silentMs: silentMs(name) };
    if (memory.returnedAtMs !== null && nowMs - memory.returnedAtMs < settings.returnAfterMs) return { kind: 'returned', sinceMs: memory.returnedAtMs };
    return { kind: 'live' };
  }
}
