/** Lines around a change that are shown with it. */
const CONTEXT = 3;
/** Texts that differ in more lines are not compared further: one is shown as removed, the other as added. */
const MOST_EDITS = 500;

interface Line {
  sign: ' ' | '-' | '+';
  text: string;
}

/** The difference of two texts in the unified format (as of `diff -u`, without the head); null when they are equal. */
export function textDiff(before: string, after: string): string | null {
  if (before === after) return null;
  const lines = compare(before.split('\n'), after.split('\n'));
  const shown: string[] = [];
  let [from, to] = [1, 1];
  for (const hunk of hunksOf(lines)) {
    for (const { sign } of hunk.skipped) [from, to] = [from + (sign === '+' ? 0 : 1), to + (sign === '-' ? 0 : 1)];
    const removed = hunk.lines.filter(({ sign }) => sign !== '+').length;
    const added = hunk.lines.filter(({ sign }) => sign !== '-').length;
    shown.push(`@@ -${from},${removed} +${to},${added} @@`, ...hunk.lines.map(({ sign, text }) => sign + text));
    [from, to] = [from + removed, to + added];
  }
  return shown.join('\n');
}

/** Runs of lines with their context, each with the lines left out before it. */
function hunksOf(lines: readonly Line[]): { skipped: Line[]; lines: Line[] }[] {
  const near = new Uint8Array(lines.length);
  lines.forEach(({ sign }, i) => {
    if (sign !== ' ') near.fill(1, Math.max(0, i - CONTEXT), i + CONTEXT + 1);
  });
  const hunks: { skipped: Line[]; lines: Line[] }[] = [];
  let skipped: Line[] = [];
  lines.forEach((line, i) => {
    if (!near[i]) return void skipped.push(line);
    if (i === 0 || !near[i - 1]) {
      hunks.push({ skipped, lines: [] });
      skipped = [];
    }
    hunks.at(-1)!.lines.push(line);
  });
  return hunks;
}

/** The shortest edit script (Myers, "An O(ND) difference algorithm and its variations", 1986), greedy. */
function compare(a: readonly string[], b: readonly string[]): Line[] {
  const traces: Map<number, number>[] = [];
  let reach = new Map([[1, 0]]);
  for (let edits = 0; edits <= Math.min(a.length + b.length, MOST_EDITS); edits++) {
    const next = new Map(reach);
    traces.push(reach);
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      let x = goesDown(reach, diagonal, edits) ? reach.get(diagonal + 1)! : reach.get(diagonal - 1)! + 1;
      while (x < a.length && x - diagonal < b.length && a[x] === b[x - diagonal]) x++;
      next.set(diagonal, x);
      if (x >= a.length && x - diagonal >= b.length) return walkBack(a, b, traces);
    }
    reach = next;
  }
  return [...a.map((text): Line => ({ sign: '-', text })), ...b.map((text): Line => ({ sign: '+', text }))];
}

/** Whether the furthest way onto a diagonal is by a line of the second text. */
function goesDown(reach: ReadonlyMap<number, number>, diagonal: number, edits: number): boolean {
  return diagonal === -edits || (diagonal !== edits && reach.get(diagonal - 1)! < reach.get(diagonal + 1)!);
}

function walkBack(a: readonly string[], b: readonly string[], traces: readonly ReadonlyMap<number, number>[]): Line[] {
  const lines: Line[] = [];
  let [x, y] = [a.length, b.length];
  for (let edits = traces.length - 1; edits >= 0; edits--) {
    const reach = traces[edits]!;
    const down = goesDown(reach, x - y, edits);
    const fromX = reach.get(down ? x - y + 1 : x - y - 1)!;
    const fromY = down ? fromX - (x - y + 1) : fromX - (x - y - 1);
    for (; x > fromX && y > fromY && x > 0 && y > 0; y--) lines.push({ sign: ' ', text: a[--x]! });
    if (edits === 0) break;
    if (down) lines.push({ sign: '+', text: b[--y]! });
    else lines.push({ sign: '-', text: a[--x]! });
  }
  return lines.reverse();
}
