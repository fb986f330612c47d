import { describe, expect, it } from '@jest/globals';
import { parseRedisAddress } from './redis-address.js';

const plain = { scheme: 'redis', host: 'cache.example', port: 6379, username: null, password: null, db: 0 };

describe(parseRedisAddress.name, () => {
  it.each([
    ['redis://cache.example', plain],
    ['redis://Cache.Example:6380/', { ...plain, port: 6380 }],
    ['rediss://cache.example/3', { ...plain, scheme: 'rediss', db: 3 }],
    ['redis://:p%40ss@cache.example', { ...plain, password: 'p@ss' }],
    ['redis://me:secret@cache.example:1/2?protocol=resp3', { ...plain, port: 1, username: 'me', password: 'secret', db: 2 }],
    ['redis://[::1]:7000', { ...plain, host: '::1', port: 7000 }],
  ])('reads %s', (text, address) => {
    expect(parseRedisAddress(text)).toEqual(address);
  });

  it.each([
    '', 'cache.example', 'localhost:6379', 'http://cache.example', 'redis://', 'redis:///1', 'redis://cache.example/one', 'redis://cache.example/1/2',
    'redis://cache.example#insecure', 'redis://cache.example?protocol=9', 'redis://cache.example:0', 'redis://cache.example:70000', 'unix:///run/redis.sock', 'redis://%ff@cache.example',
  ])('refuses %j', (text) => {
    expect(parseRedisAddress(text)).toBeNull();
  });
});
