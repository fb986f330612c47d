import { describe, expect, it } from '@jest/globals';
import { fromSqlJson, toSqlJson } from './sql-json.js';

describe('SQL values in JSON', () => {
  it.each([
    [null, null],
    ['text', 'text'],
    [3, 3n],
    [-0.5, -0.5],
    [{ integer: '9223372036854775807' }, 9_223_372_036_854_775_807n],
    [{ base64: 'AP8=' }, Buffer.from([0, 255])],
  ])('come back as they were: %j', (json, value) => {
    expect(fromSqlJson(json)).toEqual(value);
    expect(toSqlJson(value)).toEqual(json);
  });

  it('that JSON has not are given as text', () => {
    expect(toSqlJson(Infinity)).toBe('Infinity');
  });
});
