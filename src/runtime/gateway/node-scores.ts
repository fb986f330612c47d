import type { NodeName } from '#contract/ids.js';

/** What a node tells of its load counts for so long. */
const LOAD_VALID_MS = 2_000;
/** How long a node that refuses connections is asked last: longer each time in a row. */
const OUT_MIN_MS = 250;
const OUT_MAX_MS = 5_000;

interface Score {
  inFlight: number;
  load: number;
  loadAtMs: number;
  outUntilMs: number;
  failures: number;
}

/** How nodes do, as this one sees it. */
export class NodeScores {
  private readonly scores = new Map<NodeName, Score>();

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** A request is on its way. What is given back says that it is over. */
  begin(node: NodeName): () => void {
    const score = this.of(node);
    score.inFlight++;
    let isOver = false;
    return () => {
      if (!isOver) score.inFlight--;
      isOver = true;
    };
  }

  /** It has answered, and said how busy it is. */
  told(node: NodeName, load: number): void {
    Object.assign(this.of(node), { load, loadAtMs: this.now(), outUntilMs: 0, failures: 0 });
  }

  /** It could not be reached. */
  failed(node: NodeName): void {
    const score = this.of(node);
    score.outUntilMs = this.now() + Math.min(OUT_MIN_MS * 2 ** score.failures++, OUT_MAX_MS);
  }

  isOut(node: NodeName): boolean {
    return (this.scores.get(node)?.outUntilMs ?? 0) > this.now();
  }

  /** Of what this node has sent it, and of what it said. */
  loadOf(node: NodeName): number {
    const score = this.scores.get(node);
    if (!score) return 0;
    return score.inFlight + (this.now() - score.loadAtMs < LOAD_VALID_MS ? score.load : 0);
  }

  private of(node: NodeName): Score {
    let score = this.scores.get(node);
    if (!score) this.scores.set(node, (score = { inFlight: 0, load: 0, loadAtMs: -LOAD_VALID_MS, outUntilMs: 0, failures: 0 }));
    return score;
  }
}
