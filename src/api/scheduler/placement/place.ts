import { NO_FLEET } from './fleet-memory.js';
import type { Placement } from './placement.js';
import { DEFAULT_SETTINGS, type PlacementSettings } from './placement-settings.js';
import type { News } from './news.js';
import { type Decisions, Placer } from './placer.js';

export const NOTHING_PLACED: Placement = { channels: new Map(), homes: new Map(), fleet: NO_FLEET };

/**
 * One pass over everything: from what is desired, what nodes say and what was decided so far to what is decided now. Pure: the same goes in, the same comes
 * out, and nothing that goes in is changed. Called again with what it answered it comes to rest; `docs/adr/0028` says in which order it decides.
 */
export function place(world: News, before: Placement, settings: PlacementSettings = DEFAULT_SETTINGS): { placement: Placement; decisions: Decisions } {
  const placer = new Placer(before, settings);
  const decisions = placer.pass(world);
  return { placement: placer.placement(), decisions };
}
