import { describe, expect, it } from '@jest/globals';
import { parseChunkRange, parseRange } from './byte-range.js';

describe(parseRange.name, () => {
  it.each([
    ['bytes=0-99', 100, { offset: 0, bytes: 100 }], ['bytes=0-1000', 100, { offset: 0, bytes: 100 }], ['bytes=99-', 100, { offset: 99, bytes: 1 }], ['bytes=-1', 100, { offset: 99, bytes: 1 }],
    ['Bytes = 5 - 6', 100, { offset: 5, bytes: 2 }], ['bytes=0-99999999999999999999', 100, { offset: 0, bytes: 100 }],
    [undefined, 100, undefined], ['bytes=-', 100, undefined], ['bytes=a-b', 100, undefined], ['bytes=1-2,4-5', 100, undefined], ['items=0-1', 100, undefined],
  ])('reads %s of %d bytes', (header, bytes, range) => {
    expect(parseRange(header, bytes)).toEqual(range);
  });

  it.each([['bytes=100-', 100], ['bytes=6-5', 100], ['bytes=-0', 100], ['bytes=0-', 0], ['bytes=-5', 0]])('refuses %s of %d bytes', (header, bytes) => {
    expect(() => parseRange(header, bytes)).toThrow(expect.objectContaining({ code: 'REGISTRY_RANGE_INVALID' }));
  });
});

describe(parseChunkRange.name, () => {
  it.each([['0-0', { offset: 0, bytes: 1 }], ['5-9', { offset: 5, bytes: 5 }], ['bytes 5-9/20', { offset: 5, bytes: 5 }], ['bytes=5-9', { offset: 5, bytes: 5 }], [undefined, undefined]])('reads %s', (header, range) => {
    expect(parseChunkRange(header)).toEqual(range);
  });

  it.each(['', '5', '5-', '-5', '9-5', 'a-b', '0-1-2'])('refuses %j', (header) => {
    expect(() => parseChunkRange(header)).toThrow(expect.objectContaining({ code: 'REGISTRY_UPLOAD_INVALID' }));
  });
});
