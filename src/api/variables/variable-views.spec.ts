import { describe, expect, it } from '@jest/globals';
import { missingVariables, toVariableViews } from './variable-views.js';

describe(toVariableViews.name, () => {
  it('lists what is declared and what is set, by name', () => {
    const views = toVariableViews({ b: { secret: false, default: 'x', description: 'B' }, c: { secret: false } }, [{ channel: '', name: 'a', secret: false, value: '1' }]);
    expect(views).toEqual([
      { name: 'a', secret: false, set: true, value: '1', declared: false, required: false },
      { name: 'b', secret: false, set: false, declared: true, required: false, default: 'x', description: 'B' },
      { name: 'c', secret: false, set: false, declared: true, required: true },
    ]);
  });

  it.each([
    ['stored as one', { a: { secret: false } }, true],
    ['declared as one', { a: { secret: true } }, false],
  ])('does not show the value of a secret that is %s', (_how, declared, secret) => {
    expect(toVariableViews(declared, [{ channel: '', name: 'a', secret, value: 'v' }])).toEqual([{ name: 'a', secret: true, set: true, declared: true, required: true }]);
  });

  it('shows the value of the channel in the place of that of all', () => {
    const stored = [{ channel: '', name: 'a', secret: false, value: '1' }, { channel: '', name: 'b', secret: false, value: '1' }, { channel: 'staging', name: 'a', secret: false, value: '2' }];
    expect(toVariableViews({}, stored)).toMatchObject([{ name: 'a', value: '2', channel: 'staging' }, { name: 'b', value: '1' }]);
  });

  it('does not take a name for a property that every object has', () => {
    expect(toVariableViews({}, [{ channel: '', name: 'constructor', secret: false, value: '1' }])[0]).toMatchObject({ declared: false });
  });
});

describe(missingVariables.name, () => {
  it('names those without value and default', () => {
    expect(missingVariables({ z: { secret: false }, a: { secret: true }, b: { secret: false, default: '' }, c: { secret: false } }, new Set(['c']))).toEqual(['a', 'z']);
  });
});
