import { describe, expect, it } from '@jest/globals';
import { buildTree, walk, type DirectoryNode, type FileNode } from './tree.js';

const root = buildTree(['/a.txt', '/assets/logo.png', '/assets/css/site.css'].map((path) => ({ path, localPath: `/blobs${path}`, bytes: 1 })));
const found = (path: string, from: DirectoryNode = root) => {
  const node = walk<FileNode, DirectoryNode>(from, path);
  return typeof node === 'string' ? node : node.path;
};

describe(walk.name, () => {
  it.each([
    ['a.txt', '/a.txt'],
    ['./a.txt', '/a.txt'],
    ['.', '/'],
    ['assets', '/assets'],
    ['assets/', '/assets'],
    ['assets//css/./site.css', '/assets/css/site.css'],
    ['assets/css/../logo.png', '/assets/logo.png'],
    ['assets/..', '/'],
  ])('%s is %s', (path, expected) => {
    expect(found(path)).toBe(expected);
  });

  it.each([
    ['..', 'not-permitted'],
    ['../etc/passwd', 'not-permitted'],
    ['assets/../../etc/passwd', 'not-permitted'],
    ['/a.txt', 'not-permitted'],
    ['', 'no-entry'],
    ['b.txt', 'no-entry'],
    ['a.txt/', 'not-directory'],
    ['a.txt/x', 'not-directory'],
    ['a.txt/..', 'not-directory'],
    ['nothing/../a.txt', 'no-entry'],
    ['a.txt\0.png', 'illegal-byte-sequence'],
    ['x'.repeat(5000), 'name-too-long'],
  ])('%s: %s', (path, fault) => {
    expect(found(path)).toBe(fault);
  });

  it('does not climb out of a directory that was handed on', () => {
    const css = walk(root, 'assets/css') as DirectoryNode;
    expect(found('site.css', css)).toBe('/assets/css/site.css');
    expect(found('../logo.png', css)).toBe('not-permitted');
  });

  it('knows no names that every object has', () => {
    expect(found('__proto__')).toBe('no-entry');
    expect(found('constructor')).toBe('no-entry');
  });
});
