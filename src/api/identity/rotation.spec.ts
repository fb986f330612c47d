import { describe, expect, it } from '@jest/globals';
import type { KeyHash } from '#contract/node-identity.js';
import type { AuthorityState } from './authority.js';
import { type Acknowledgement, LIVE_MS, nextChanges, type RotationSituation, SETTLE_MS, waitingFor } from './rotation.js';

const NOW = new Date('2026-11-23T12:00:00Z');
const at = (ms: number): Date => new Date(NOW.getTime() + ms);
type Key = RotationSituation['authorities'][number];

const key = (id: string, state: AuthorityState, more: Partial<Key> = {}): Key =>
  ({ id: id as KeyHash, kind: 'tls', state, lastExpiry: null, changedAt: at(-SETTLE_MS), ...more });
const node = (name: string, more: Partial<Acknowledgement> = {}): Acknowledgement =>
  ({ node: name, trustRevision: 'now', trustSeenAt: at(-1_000), statementKeys: [], expiresAt: at(3_600_000), ...more });
const look = (authorities: Key[], nodes: Acknowledgement[] = []): string[] =>
  nextChanges({ authorities, nodes, revision: 'now', now: NOW }).map(({ id, state }) => `${id} ${state}`);

describe(nextChanges, () => {
  it('leaves alone what only signs', () => {
    expect(look([key('a', 'signing'), key('s', 'signing', { kind: 'statements' })], [node('n')])).toEqual([]);
  });

  it('lets a new key sign, and the one before of its kind retire, when every live node has the bundle', () => {
    const keys = [key('a', 'signing'), key('b', 'trusted'), key('s', 'signing', { kind: 'statements' })];
    expect(look(keys, [node('n'), node('m')])).toEqual(['b signing', 'a retiring']);
    expect(look(keys, [node('n'), node('m', { trustRevision: 'before' })])).toEqual([]);
  });

  it('does not wait for a node that has not been heard of', () => {
    const keys = [key('a', 'signing'), key('b', 'trusted')];
    expect(look(keys, [node('n', { trustRevision: 'before', trustSeenAt: at(-LIVE_MS) }), node('m', { trustRevision: null, trustSeenAt: null })])).toEqual(['b signing', 'a retiring']);
  });

  it('takes no step before every control plane has seen the last one', () => {
    expect(look([key('a', 'signing'), key('b', 'trusted', { changedAt: at(-SETTLE_MS + 1) })])).toEqual([]);
    expect(look([key('a', 'retiring', { changedAt: at(-SETTLE_MS + 1) }), key('b', 'signing')])).toEqual([]);
  });

  it('keeps a CA until the last certificate that it signed has ended', () => {
    expect(look([key('a', 'retiring', { lastExpiry: at(1) }), key('b', 'signing')])).toEqual([]);
    expect(look([key('a', 'retiring', { lastExpiry: NOW }), key('b', 'signing')])).toEqual(['a gone']);
  });

  it('keeps a key of statements as long as a node that may come back has something of it', () => {
    const keys = [key('a', 'retiring', { kind: 'statements', changedAt: at(-LIVE_MS) }), key('b', 'signing', { kind: 'statements' })];
    expect(look(keys, [node('n', { statementKeys: ['a', 'b'] })])).toEqual([]);
    expect(look(keys, [node('n', { statementKeys: ['a'], trustSeenAt: at(-10 * LIVE_MS) })])).toEqual([]);
    expect(look(keys, [node('n', { statementKeys: ['a'], expiresAt: NOW })])).toEqual(['a gone']);
    expect(look(keys, [node('n', { statementKeys: ['b'] })])).toEqual(['a gone']);
  });

  it('does not take the silence of nodes that have not asked since for an answer', () => {
    expect(look([key('a', 'retiring', { kind: 'statements', changedAt: at(-LIVE_MS + 1) }), key('b', 'signing', { kind: 'statements' })], [node('n', { statementKeys: ['b'] })])).toEqual([]);
  });

  it('ends: with nodes that answer, each step is due at some time, and one key of a kind is left', () => {
    let keys = [key('a', 'signing', { lastExpiry: at(50_000) }), key('b', 'trusted', { changedAt: NOW })];
    for (let ms = 0; ms < 200_000; ms += 1_000) {
      const changes = nextChanges({ authorities: keys, nodes: [node('n', { trustSeenAt: at(ms) })], revision: 'now', now: at(ms) });
      keys = keys.map((each) => ({ ...each, ...changes.filter(({ id }) => id === each.id).map(({ state }) => ({ state, changedAt: at(ms) }))[0] })).filter(({ state }) => state !== 'gone');
      expect(keys.filter(({ state }) => state === 'signing')).toHaveLength(1);
    }
    expect(keys.map(({ id, state }) => `${id} ${state}`)).toEqual(['b signing']);
  });
});

describe(waitingFor, () => {
  it('names live nodes that lag', () => {
    expect(waitingFor({ authorities: [], nodes: [node('n'), node('m', { trustRevision: null })], revision: 'now', now: NOW })).toEqual(['m']);
  });
});
