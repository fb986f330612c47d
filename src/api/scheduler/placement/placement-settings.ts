/** The bounds of placement; the defaults' reasons are in docs/adr/0028. */
export interface PlacementSettings {
  /** A node that was not heard of for this long is lost. */
  lostAfterMs: number;
  /** A node that returns gets nothing new before it has been back for this long. */
  returnAfterMs: number;
  /** Losses within this time count as at once. */
  guardWindowMs: number;
  /** After most nodes had vanished, the others may come back for this long before they are taken for lost. */
  settleMs: number;
  /** Replicas that one pass starts because there are too few. */
  repairsPerPass: number;
  /** Moves of replicas that work, at a time. */
  movesInFlight: number;
  /** Nodes that hold a channel that is on disk only. */
  diskCopies: number;
  /** Nodes that would be fuller than this share are chosen after all others. */
  highWater: number;
}

export const DEFAULT_SETTINGS: PlacementSettings = {
  lostAfterMs: 5_000,
  returnAfterMs: 10_000,
  guardWindowMs: 60_000,
  settleMs: 15_000,
  repairsPerPass: 2_000,
  movesInFlight: 50,
  diskCopies: 3,
  highWater: 0.8,
};
