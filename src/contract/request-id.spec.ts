import { describe, expect, it } from '@jest/globals';
import { nameHash, parseRequestId, requestScope, toRequestId } from './request-id.js';

describe(parseRequestId.name, () => {
  it('reads what was written', () => {
    const atMs = Date.UTC(2026, 10, 23);
    const id = toRequestId(atMs, requestScope({ node: 'node-1', channel: 'production', version: 41, component: 2 }), 123_456_789);
    expect(parseRequestId(id)).toEqual({ atMs, nodeHash: nameHash('node-1'), channelHash: nameHash('production'), version: 41, component: 2 });
    expect(parseRequestId(toRequestId(atMs, requestScope({ node: 'n', channel: 'c', version: 1, component: null }), 0))).toMatchObject({ component: null });
  });

  it.each(['', 'w1', '6f1c3f0e-1111-4222-8333-444455556666', 'w2-mhx2k3ab-1-1-1-0-1', 'w1-mhx2k3ab-1-1-1-0-1\n', `w1-${'z'.repeat(20)}-1-1-1-0-1`])('takes %p for none', (id) => {
    expect(parseRequestId(id)).toBeUndefined();
  });
});
