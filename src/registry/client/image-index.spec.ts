import { describe, expect, it } from '@jest/globals';
import { IMAGE_MANIFEST } from '#registry/repositories/manifest.js';
import { chooseFromIndex } from './image-index.js';

const entry = (digest: string, platform?: string, annotations?: Record<string, string>) => {
  const [os, architecture] = platform?.split('/') ?? [];
  return { mediaType: IMAGE_MANIFEST, digest, size: 1, ...(platform && { platform: { os, architecture } }), ...(annotations && { annotations }) };
};
const choose = (...manifests: unknown[]): string => chooseFromIndex(Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })));
const attestation = entry('attestation', 'unknown/unknown', { 'vnd.docker.reference.type': 'attestation-manifest' });

describe(chooseFromIndex.name, () => {
  it.each([
    ['what is for wasip2', [entry('a', 'linux/amd64'), entry('b', 'wasip1/wasm'), entry('c', 'wasip2/wasm')], 'c'],
    ['what Docker calls wasi/wasm32', [entry('a', 'linux/amd64'), entry('b', 'wasi/wasm32')], 'b'],
    ['what is written with capitals', [entry('a', 'linux/amd64'), entry('b', 'Wasip1/wasm')], 'b'],
    ['the only one, whatever it is for', [entry('a', 'linux/amd64')], 'a'],
    ['the only one beside attestations', [entry('a'), attestation], 'a'],
    ['one that is listed twice', [entry('a', 'wasip1/wasm'), entry('a', 'wasip1/wasm'), entry('b', 'linux/arm64')], 'a'],
  ])('takes %s', (_what, manifests, digest) => {
    expect(choose(...manifests)).toBe(digest);
  });

  it.each([
    ['nothing for WebAssembly', [entry('a', 'linux/amd64'), entry('b', 'linux/arm64')], /nothing for WebAssembly .* but linux\/amd64, linux\/arm64/],
    ['two for the same', [entry('a', 'wasi/wasm'), entry('b', 'wasi/wasm')], /2 images for wasi\/wasm/],
    ['nothing at all', [attestation], /nothing at all/],
    ['no list', ['text'], /cannot be read/],
  ])('refuses an index with %s', (_what, manifests, message) => {
    expect(() => choose(...manifests)).toThrow(expect.objectContaining({ code: 'REGISTRY_IMAGE_UNSUPPORTED', message: expect.stringMatching(message) }));
  });
});
