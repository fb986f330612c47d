import { describe, expect, it } from '@jest/globals';
import { TokenScope } from './token-scope.js';

describe('the scope of a token', () => {
  it.each(['admin', 'approve', 'node', 'repository:default/shop:pull', 'repository:default/shop:pull,push,delete', 'repository:default/*:push', 'repository:*:*'])('may be %s', (scope) => {
    expect(TokenScope.safeParse(scope).success).toBe(true);
  });

  it.each(['', 'Admin', 'repository:shop:pull', 'repository:default/shop:', 'repository:default/shop:read', 'repository:default/shop:pull,', 'repository:*/shop:pull', 'repository:a/b/c:pull', 'repository:default/-shop:pull'])(
    'is never %p', (scope) => {
      expect(TokenScope.safeParse(scope).success).toBe(false);
    });
});
