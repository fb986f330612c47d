import { describe, expect, it } from '@jest/globals';
import { hasField, hasNoContent, toClientHeaders } from './response-headers.js';

describe(toClientHeaders.name, () => {
  it('drops what belongs to a connection, and what Connection names', () => {
    expect(toClientHeaders([['Connection', 'x-hop, content-length'], ['X-Hop', '1'], ['transfer-encoding', 'chunked'], ['keep-alive', '5'], ['content-length', '3']]))
      .toEqual(['content-length', '3']);
  });

  it('keeps repeated fields in order', () => {
    expect(toClientHeaders([['set-cookie', 'a'], ['x', '1'], ['set-cookie', 'b']])).toEqual(['set-cookie', 'a', 'x', '1', 'set-cookie', 'b']);
  });
});

it('finds a field whatever its case, and not among values', () => {
  expect(hasField(['x', 'content-length', 'Content-Length', '3'], 'content-length')).toBe(true);
  expect(hasField(['x', 'content-length'], 'content-length')).toBe(false);
});

it.each([[200, false], [204, true], [304, true], [100, true], [404, false]])('status %d has no content: %s', (status, none) => {
  expect(hasNoContent(status)).toBe(none);
});
