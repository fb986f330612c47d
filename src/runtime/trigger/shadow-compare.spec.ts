import { describe, expect, it } from '@jest/globals';
import { differenceOf, type WholeAnswer } from './shadow-compare.js';

const answer = (change: Partial<WholeAnswer> = {}): WholeAnswer => ({ status: 200, headers: [['content-type', 'text/plain']], body: [Buffer.from('ok')], bodyBytes: 2, ...change });
const differs = (change: Partial<WholeAnswer>, ignored: string[] = []) => differenceOf(answer(), answer(change), new Set(ignored));

describe(differenceOf.name, () => {
  it('finds nothing where bytes, fields and status are the same, whatever the pieces, the order and the letters', () => {
    expect(differs({})).toBeNull();
    expect(differs({ body: [Buffer.from('o'), Buffer.from('k')] })).toBeNull();
    const two = { headers: [['a', '1'], ['a', '2'], ['B', '3']] as [string, string][] };
    expect(differenceOf(answer(two), answer({ headers: [['b', '3'], ['A', '2'], ['a', '1']] }), new Set())).toBeNull();
  });

  it('does not look at what is never the same, what belongs to the connection, nor what the app names', () => {
    const more: [string, string][] = [['content-type', 'text/plain'], ['date', 'now'], ['content-length', '2'], ['connection', 'close'], ['x-request-id', '7']];
    expect(differs({ headers: more }, ['x-request-id'])).toBeNull();
    expect(differs({ headers: more })).toEqual({ fields: ['x-request-id'] });
  });

  it('compares cookies by their names', () => {
    const cookie = (text: string) => answer({ headers: [['set-cookie', text]] });
    expect(differenceOf(cookie('a=1; Path=/'), cookie('a=2'), new Set())).toBeNull();
    expect(differenceOf(cookie('a=1'), cookie('b=1'), new Set())).toEqual({ fields: ['set-cookie'] });
  });

  it('says what differs and no value of it', () => {
    expect(differs({ status: 404, headers: [['content-type', 'secret'], ['x-new', 'secret']], body: [Buffer.from('secret')], bodyBytes: 6 })).toEqual({ status: [200, 404], fields: ['content-type', 'x-new'], bodyBytes: [2, 6] });
    expect(differs({ body: [Buffer.from('no')] })).toEqual({ fields: [], bodyBytes: [2, 2] });
  });
});
