import { describe, expect, it } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { AnswerBatch } from './answer-batch.js';

function answers() {
  const sent: string[] = [];
  const named = (name: string) => ({ flush: () => void sent.push(name) });
  return { sent, named, batch: new AnswerBatch() };
}

describe(AnswerBatch.name, () => {
  it('sends complete answers in order when the turn ends, and then what there is of others', async () => {
    const { sent, named, batch } = answers();
    batch.hold(named('open'));
    batch.end(named('a'));
    batch.end(named('b'));
    expect(sent).toEqual([]);
    await turn();
    expect(sent).toEqual(['a', 'b', 'open']);
  });

  it('sends what is complete, and nothing else, before something takes the thread', () => {
    const { sent, named, batch } = answers();
    batch.hold(named('open'));
    batch.end(named('a'));
    batch.flush();
    expect(sent).toEqual(['a']);
  });

  it('holds nothing back for longer than a moment', () => {
    const { sent, named, batch } = answers();
    batch.end(named('a'));
    const from = performance.now();
    while (performance.now() - from < 2);
    batch.end(named('b'));
    expect(sent).toEqual(['a', 'b']);
  });

  it('sends the answers of the next turn too', async () => {
    const { sent, named, batch } = answers();
    batch.end(named('a'));
    await turn();
    batch.end(named('b'));
    await turn();
    expect(sent).toEqual(['a', 'b']);
  });
});
