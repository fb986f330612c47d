import { describe, expect, it } from '@jest/globals';
import { camelCase } from './labels.js';

describe(camelCase.name, () => {
  it.each([['content-length', 'contentLength'], ['x', 'x'], ['HTTP-status', 'httpStatus'], ['a-URL-b', 'aUrlB'], ['sha256-sum', 'sha256Sum'], ['dns-a-1', 'dnsA1']])('%s becomes %s', (label, key) => {
    expect(camelCase(label)).toBe(key);
  });
});
