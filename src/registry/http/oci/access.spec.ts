import { describe, expect, it } from '@jest/globals';
import { parseRepositoryName } from '#registry/repositories/repository-name.js';
import { allows, grant } from './access.js';

describe(allows.name, () => {
  it.each([
    ['admin', 'a/b', 'pull,push,delete'], ['repository:a/b:pull', 'a/b', 'pull'], ['repository:a/b:pull,push', 'a/b', 'pull,push'], ['repository:a/b:*', 'a/b', 'pull,push,delete'],
    ['repository:a/*:push', 'a/b', 'push'], ['repository:*:delete', 'a/b', 'delete'], ['repository:a/c:*', 'a/b', ''], ['repository:c/*:*', 'a/b', ''], ['repository:a:*', 'a/b', ''],
    ['repository:default/b:pull', 'b', 'pull'], ['node', 'a/b', ''], ['repository:a/b', 'a/b', ''], ['repository:a/b:', 'a/b', ''], ['repository:*:pull:push', 'a/b', ''],
  ])('lets %s do in %s: %s', (scope, repository, actions) => {
    const may = (['pull', 'push', 'delete'] as const).filter((action) => allows([scope], parseRepositoryName(repository), action));
    expect(may.join(',')).toBe(actions);
  });
});

describe(grant.name, () => {
  it.each([
    [['repository:a/b:pull,push'], ['admin'], [{ name: 'a/b', actions: ['pull', 'push'] }]],
    [['repository:a/b:pull,push'], ['repository:a/b:pull'], [{ name: 'a/b', actions: ['pull'] }]],
    [['repository:b:*'], ['admin'], [{ name: 'default/b', actions: ['pull', 'push', 'delete'] }]],
    [['repository(plugin):a/b:pull'], ['admin'], [{ name: 'a/b', actions: ['pull'] }]],
    [['repository:b:pull', 'repository:default/b:push'], ['admin'], [{ name: 'default/b', actions: ['pull', 'push'] }]],
    [['repository:a/b:push', 'repository:a/b:paint', 'registry:catalog:*', 'repository:A:pull', ''], ['repository:*:pull'], []],
  ])('gives for %j to %j', (asked, scopes, grants) => {
    expect(grant(asked, scopes)).toEqual(grants);
  });
});
