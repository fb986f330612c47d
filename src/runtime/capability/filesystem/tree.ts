import { createHash } from 'node:crypto';
import type { GrantedFile, GuestGrant } from '../guest.js';

export interface FileNode {
  kind: 'file';
  path: string;
  localPath: string;
  bytes: number;
}

export interface DirectoryNode {
  kind: 'directory';
  path: string;
  children: Map<string, TreeNode>;
}

export type TreeNode = FileNode | DirectoryNode;

/** What stops a path: names of `error-code` in wasi:filesystem. */
export type PathFault = 'no-entry' | 'not-directory' | 'not-permitted' | 'name-too-long' | 'illegal-byte-sequence';

const MAX_PATH_CHARS = 4096;

/** The files of one component as a tree. There are no links, and nothing outside the tree has a name in it. */
export function buildTree(files: readonly GrantedFile[]): DirectoryNode {
  const root: DirectoryNode = { kind: 'directory', path: '/', children: new Map() };
  for (const file of [...files].sort((one, other) => (one.path < other.path ? -1 : 1))) {
    const names = file.path.split('/').filter((name) => name !== '');
    const last = names.pop();
    if (last === undefined) continue;
    let folder = root;
    for (const name of names) {
      const next = folder.children.get(name) ?? addFolder(folder, name);
      if (next.kind === 'file') throw new Error(`${file.path} lies below a file`);
      folder = next;
    }
    folder.children.set(last, { kind: 'file', path: file.path, localPath: file.localPath, bytes: file.bytes });
  }
  return root;
}

function addFolder(parent: DirectoryNode, name: string): DirectoryNode {
  const folder: DirectoryNode = { kind: 'directory', path: `${parent.path}${parent.path === '/' ? '' : '/'}${name}`, children: new Map() };
  parent.children.set(name, folder);
  return folder;
}

/**
 * Follows a path from a directory. Absolute paths and those that climb above where they start are not permitted (wasi:filesystem,
 * "path resolution"), so that a directory handed on is all that its holder can reach.
 */
export function walk<File extends { kind: 'file' }, Folder extends { kind: 'directory'; children: Map<string, File | Folder> }>(from: Folder, path: string): File | Folder | PathFault {
  const fault = pathFault(path);
  if (fault) return fault;
  const trail: Folder[] = [];
  let at: File | Folder = from;
  for (const name of path.split('/')) {
    if (at.kind === 'file') return 'not-directory';
    if (name === '' || name === '.') continue;
    if (name === '..') {
      const parent = trail.pop();
      if (!parent) return 'not-permitted';
      at = parent;
      continue;
    }
    const next: File | Folder | undefined = at.children.get(name);
    if (!next) return 'no-entry';
    trail.push(at);
    at = next;
  }
  return at;
}

/** What is wrong with a path as such. */
export function pathFault(path: string): PathFault | null {
  if (path.length > MAX_PATH_CHARS) return 'name-too-long';
  if (path.includes('\0')) return 'illegal-byte-sequence';
  if (path === '') return 'no-entry';
  return path.startsWith('/') ? 'not-permitted' : null;
}

const trees = new WeakMap<GuestGrant, DirectoryNode>();

/** One tree for all slots of a version. */
export function treeOf(grant: GuestGrant): DirectoryNode {
  let tree = trees.get(grant);
  if (!tree) trees.set(grant, (tree = buildTree(grant.files)));
  return tree;
}

/** 128 bits that name the object: content is content-addressed, so path and place say it all. */
export function metadataHash(node: TreeNode): { lower: bigint; upper: bigint } {
  const digest = createHash('sha256').update(`${node.kind}\0${node.path}\0${node.kind === 'file' ? node.localPath : ''}`).digest();
  return { lower: digest.readBigUInt64LE(0), upper: digest.readBigUInt64LE(8) };
}
