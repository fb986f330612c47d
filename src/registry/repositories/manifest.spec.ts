import { describe, expect, it } from '@jest/globals';
import { IMAGE_INDEX, IMAGE_MANIFEST, readManifest } from './manifest.js';

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;
const descriptor = (letter: string, mediaType = 'application/octet-stream'): object => ({ mediaType, digest: digest(letter), size: 5 });
const read = (contentType: string | undefined, document: object) => readManifest(contentType, Buffer.from(JSON.stringify(document)));

describe(readManifest.name, () => {
  it('knows what an image names', () => {
    const { names, artifactType, subject } = read(IMAGE_MANIFEST, {
      schemaVersion: 2, config: descriptor('a', 'application/vnd.example.config'), subject: descriptor('d'),
      layers: [descriptor('b'), descriptor('c', 'application/vnd.oci.image.layer.nondistributable.v1.tar')],
    });
    expect(names).toEqual([
      { digest: digest('a'), kind: 'config', bytes: 5, required: true }, { digest: digest('b'), kind: 'layer', bytes: 5, required: true }, { digest: digest('c'), kind: 'layer', bytes: 5, required: false },
    ]);
    expect([artifactType, subject]).toEqual(['application/vnd.example.config', digest('d')]);
  });

  it('knows what an index names, which has the artifact type that it says alone', () => {
    const document = { schemaVersion: 2, manifests: [descriptor('a')] };
    expect(read(IMAGE_INDEX, document)).toMatchObject({ names: [{ digest: digest('a'), kind: 'manifest', required: true }], artifactType: undefined });
    expect(read(IMAGE_INDEX, { ...document, artifactType: 'a/b' })).toMatchObject({ artifactType: 'a/b' });
  });

  it('prefers an image\'s own artifact type, unless it is empty', () => {
    const image = { schemaVersion: 2, config: descriptor('a', 'c/d'), layers: [] };
    expect(read(IMAGE_MANIFEST, { ...image, artifactType: 'a/b' }).artifactType).toBe('a/b');
    expect(read(IMAGE_MANIFEST, { ...image, artifactType: '' }).artifactType).toBe('c/d');
  });

  it('looks into types that it does not know', () => {
    expect(read('application/vnd.example+json', { blobs: [descriptor('a')], manifests: null }).names).toEqual([{ digest: digest('a'), kind: 'layer', bytes: 5, required: true }]);
  });

  it.each([['a/b; charset=utf-8', 'a/b'], [undefined, 'x/y'], ['', 'x/y']])('takes the Content-Type %j as %s', (contentType, mediaType) => {
    expect(read(contentType, mediaType === 'x/y' ? { mediaType } : {}).mediaType).toBe(mediaType);
  });

  it.each([[undefined, {}], ['no type', {}], ['a/b', { mediaType: 'a/c' }], ['a/b', { subject: { digest: digest('a') } }], ['a/b', { layers: [{ ...descriptor('a'), size: -1 }] }], ['a/b', { annotations: { a: 1 } }]])(
    'refuses %j with %j', (contentType, document) => {
      expect(() => read(contentType, document)).toThrow(expect.objectContaining({ code: 'REGISTRY_MANIFEST_INVALID' }));
    });
});
