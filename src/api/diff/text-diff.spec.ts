import { describe, expect, it } from '@jest/globals';
import { textDiff } from './text-diff.js';

/** Puts a difference in, as `patch` does. */
function patch(text: string, diff: string): string {
  const source = text.split('\n');
  const result: string[] = [];
  let at = 0;
  for (const line of diff.split('\n')) {
    const head = /^@@ -(\d+),\d+ \+(\d+),\d+ @@$/.exec(line);
    if (head) {
      while (at < Number(head[1]) - 1) result.push(source[at++]!);
      expect(result.length).toBe(Number(head[2]) - 1);
    } else if (line.startsWith('+')) {
      result.push(line.slice(1));
    } else {
      expect(line.slice(1)).toBe(source[at]);
      if (line.startsWith(' ')) result.push(source[at]!);
      at++;
    }
  }
  return [...result, ...source.slice(at)].join('\n');
}

describe(textDiff.name, () => {
  it('is null for the same text', () => expect(textDiff('a\nb', 'a\nb')).toBeNull());

  it('shows a change with the lines around it', () => {
    const lines = Array.from({ length: 20 }, (_, i) => `line ${i + 1}`);
    expect(textDiff(lines.join('\n'), lines.with(9, 'other').join('\n'))).toBe(
      ['@@ -7,7 +7,7 @@', ' line 7', ' line 8', ' line 9', '-line 10', '+other', ' line 11', ' line 12', ' line 13'].join('\n'),
    );
  });

  it('gives the second text when it is put into the first, whatever the two are', () => {
    let seed = 7;
    const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
    for (let round = 0; round < 300; round++) {
      const text = (): string => Array.from({ length: random(25) }, () => 'abcd'[random(4)]).join('\n');
      const [before, after] = [text(), text()];
      const diff = textDiff(before, after);
      expect(diff === null ? before : patch(before, diff)).toBe(after);
    }
  });

  it('does not look for the shortest way between texts that have nothing in common', () => {
    const text = (word: string): string => Array.from({ length: 20_000 }, (_, i) => `${word} ${i}`).join('\n');
    expect(textDiff(text('a'), text('b'))!.split('\n')).toHaveLength(40_001);
  });
});
