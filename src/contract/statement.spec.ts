import { describe, expect, it } from '@jest/globals';
import { canonicalJson, statementBytes } from './statement.js';

describe('canonical JSON', () => {
  it('does not depend on the order of members', () => {
    expect(canonicalJson({ b: [1, { y: 'ü', x: null }], a: true })).toBe('{"a":true,"b":[1,{"x":null,"y":"ü"}]}');
    expect(canonicalJson({ a: true, b: [1, { x: null, y: 'ü' }] })).toBe(canonicalJson({ b: [1, { y: 'ü', x: null }], a: true }));
  });

  it('keeps the order of lists', () => {
    expect(canonicalJson([2, 1])).not.toBe(canonicalJson([1, 2]));
  });

  it('leaves out what is undefined, as JSON does', () => {
    expect(canonicalJson({ a: undefined, b: [undefined] })).toBe(JSON.stringify({ b: [null] }));
  });

  it('reads as the same value', () => {
    const value = { '\u20ac': 'Euro', '\r': 'return', '1': 'one', '\ud83d\ude00': 'smile', 'ö': 1e21, nested: [0.1, -0, 'a"b\\\u2028'] };
    expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
  });

  it('puts names in the order of RFC 8785', () => {
    const names = ['\u20ac', '\r', '\ufb33', '1', '\ud83d\ude00', '\u0080', '\u00f6'];
    const text = canonicalJson(Object.fromEntries(names.map((name) => [name, 0])));
    expect(Object.keys(JSON.parse(text) as object).filter((name) => name !== '1')).toEqual(['\r', '\u0080', '\u00f6', '\u20ac', '\ud83d\ude00', '\ufb33']);
  });
});

describe('what is signed', () => {
  it('differs by what kind of thing it is', () => {
    expect(statementBytes('assignment', '{}').equals(statementBytes('route-table', '{}'))).toBe(false);
  });

  it('stays as it is: nodes keep signatures on their disks', () => {
    expect(statementBytes('assignment', canonicalJson({ b: 1, a: 'x' })).toString()).toBe('whorl-statement-v1\nassignment\ncdab067e9f3beb32d1252cfd63e492592fecbf591b0d08cadb24bb17f3864246');
  });
});
