import { describe, expect, it } from '@jest/globals';
import type { ChannelLock } from './channel-lock.js';
import type { StoredRule } from './channel-rule.js';
import { FreezeWindow } from './freeze-window.js';
import { type GateFacts, heldBy, refusalOf } from './gate.js';

const NOW = Date.parse('2026-11-27T12:00:00Z');
const lock = (more: Partial<ChannelLock> = {}): ChannelLock => ({ reason: 'an audit', until: null, rollback: true, by: 'ann', at: '2026-11-27T10:00:00.000Z', ...more });
const facts = (more: Partial<GateFacts> = {}): GateFacts => ({ lock: null, freeze: [], rule: null, ...more });
const frozen = facts({ freeze: [FreezeWindow.parse({ from: '2026-11-27', to: '2026-11-28', reason: 'a sale' })] });
const asked = (cause: string, onFreeze: 'wait' | 'refuse' = 'wait') => ({ cause, version: 2, onFreeze });

describe(refusalOf.name, () => {
  it('says who locked it, and why', () => {
    expect(refusalOf(facts({ lock: lock() }), asked('push'), NOW)).toEqual({ code: 'API_CHANNEL_LOCKED', message: 'ann locked it at 2026-11-27T10:00:00.000Z: an audit' });
  });

  it('lets a rollback through a lock, unless that is locked too', () => {
    expect(refusalOf(facts({ lock: lock() }), asked('rollback'), NOW)).toBeUndefined();
    expect(refusalOf(facts({ lock: lock({ rollback: false }) }), asked('rollback'), NOW)?.code).toBe('API_CHANNEL_LOCKED');
  });

  it('opens by itself', () => {
    expect(refusalOf(facts({ lock: lock({ until: '2026-11-27T12:00:00.001Z' }) }), asked('rule'), NOW)?.code).toBe('API_CHANNEL_LOCKED');
    expect(refusalOf(facts({ lock: lock({ until: '2026-11-27T12:00:00.000Z' }) }), asked('rule'), NOW)).toBeUndefined();
  });

  it('refuses another version than the one that it is pinned to, but for a rollback', () => {
    const pinned = facts({ rule: { pinned: 1 } as StoredRule });
    expect(refusalOf(pinned, asked('rollout'), NOW)).toEqual({ code: 'API_CHANNEL_PINNED', message: 'it is pinned to version 1' });
    expect(refusalOf(pinned, { ...asked('rollout'), version: 1 }, NOW)).toBeUndefined();
    expect(refusalOf(pinned, asked('rollback'), NOW)).toBeUndefined();
  });

  it('refuses in a freeze window where the call says so, a rollback never', () => {
    expect(refusalOf(frozen, asked('push'), NOW)).toBeUndefined();
    expect(refusalOf(frozen, asked('push', 'refuse'), NOW)).toEqual({ code: 'API_CHANNEL_FROZEN', message: 'a sale, until 2026-11-28T00:00:00.000Z' });
    expect(refusalOf(frozen, asked('rollback', 'refuse'), NOW)).toBeUndefined();
  });
});

describe(heldBy.name, () => {
  it('waits for the end of a freeze window, and for a lock', () => {
    expect(heldBy(frozen, 'push', NOW)).toEqual({ kind: 'freeze', reason: 'a sale', until: '2026-11-28T00:00:00.000Z' });
    expect(heldBy({ ...frozen, lock: lock() }, 'push', NOW)).toMatchObject({ kind: 'lock', until: null });
    expect(heldBy(facts(), 'push', NOW)).toBeNull();
  });

  it('holds no rollback', () => {
    expect(heldBy({ ...frozen, lock: lock({ rollback: false }) }, 'rollback', NOW)).toBeNull();
  });
});
