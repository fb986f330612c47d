import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { WhorlError } from '#contract/errors.js';
import { Digest } from '#contract/ids.js';
import { lockApp } from './lock.js';
import { parseManifest } from './manifest.js';

const digestOf = (text: string) => Digest.parse(`sha256:${createHash('sha256').update(text).digest('hex')}`);

/** A bundle in which each file's content is its path. */
const bundle = (paths: string[], folders: string[] = []) => ({
  entries: new Map(paths.map((path) => [path, { bytes: path.length, digest: digestOf(path) }])),
  folders: new Set(folders),
});
const manifest = (component: string) => parseManifest(`spin_manifest_version = 2\n[application]\nname = "app"\n[[trigger.http]]\nroute = "/..."\ncomponent = "c"\n[component.c]\nsource = "c.wasm"\n${component}`);

const FILES = ['c.wasm', 'spin.toml', 'assets/a.txt', 'assets/a.map', 'assets/deep/b.txt', 'assets/deep/.hidden', 'one', 'assets-2/x'];
const lock = (component: string, files = FILES, folders: string[] = []) => lockApp(manifest(component), bundle(files, folders));
/** Target and source of each file of the component. */
const mounted = (component: string) => lock(component).app.components[0]!.files.map(({ path, digest }) => `${path} < ${FILES.find((file) => digestOf(file) === digest)}`);

function refusal(component: string): WhorlError {
  try {
    lock(component);
  } catch (error) {
    if (error instanceof WhorlError) return error;
    throw error;
  }
  throw new Error('it was locked');
}

describe(lockApp.name, () => {
  it('gives the source and every file a digest', () => {
    const { app, remoteSources } = lock('files = ["one"]');
    expect(app.components[0]).toMatchObject({ id: 'c', source: digestOf('c.wasm'), sourceBytes: 6, files: [{ path: '/one', digest: digestOf('one'), bytes: 3 }] });
    expect(remoteSources).toEqual([]);
  });

  it.each<[string, string, string[]]>([
    ['a file', 'files = ["one"]', ['/one < one']],
    ['a folder', 'files = ["assets"]', ['/assets/a.map < assets/a.map', '/assets/a.txt < assets/a.txt', '/assets/deep/.hidden < assets/deep/.hidden', '/assets/deep/b.txt < assets/deep/b.txt']],
    ['a folder with slash and dot', 'files = ["./assets/deep/"]', ['/assets/deep/.hidden < assets/deep/.hidden', '/assets/deep/b.txt < assets/deep/b.txt']],
    ['a glob of one level', 'files = ["assets/*"]', ['/assets/a.map < assets/a.map', '/assets/a.txt < assets/a.txt']],
    ['a glob of all levels', 'files = ["assets/**/*.txt"]', ['/assets/a.txt < assets/a.txt', '/assets/deep/b.txt < assets/deep/b.txt']],
    ['excluded files', 'files = ["assets/**/*"]\nexclude_files = ["**/.hidden", "*.map"]', ['/assets/a.txt < assets/a.txt', '/assets/deep/b.txt < assets/deep/b.txt']],
    ['a star in exclude_files that crosses folders', 'files = ["assets"]\nexclude_files = ["assets/*.txt"]', ['/assets/a.map < assets/a.map', '/assets/deep/.hidden < assets/deep/.hidden']],
    ['a folder placed elsewhere', 'files = [{ source = "assets/deep", destination = "/www/x" }]', ['/www/x/.hidden < assets/deep/.hidden', '/www/x/b.txt < assets/deep/b.txt']],
    ['a folder placed at the root', 'files = [{ source = "assets-2", destination = "/" }]', ['/x < assets-2/x']],
    ['a file placed elsewhere', 'files = [{ source = "one", destination = "/etc/two" }]', ['/etc/two < one']],
    ['a relative destination', 'files = [{ source = "one", destination = "two" }]', ['/two < one']],
    ['excluded files of a placed folder', 'files = [{ source = "assets", destination = "/w" }]\nexclude_files = ["assets/deep/*", "*.map"]', ['/w/a.txt < assets/a.txt']],
    ['a placed file, which exclude_files does not concern', 'files = [{ source = "one", destination = "/two" }]\nexclude_files = ["one"]', ['/two < one']],
    ['the later of two at one path', 'files = ["one", { source = "assets/a.txt", destination = "/one" }]', ['/one < assets/a.txt']],
  ])('mounts %s', (_, component, files) => expect(mounted(component)).toEqual(files));

  it('takes an empty folder', () => expect(lock('files = [{ source = "empty", destination = "/e" }]', FILES, ['empty']).app.components[0]!.files).toEqual([]));

  it.each<[string, string, string, RegExp]>([
    ['a file that is not there', 'files = ["one",\n"two"]', 'BUNDLE_FILE_MISSING', /line 10, component.c.files\[1\]: there is no file or folder "two"/],
    ['a placement that is not there', 'files = [{ source = "two", destination = "/" }]', 'BUNDLE_FILE_MISSING', /files\[0\].source: there is no file or folder "two"/],
    ['a path above the root', 'files = ["../x"]', 'BUNDLE_MANIFEST_INVALID', /"\.\."/],
    ['a pattern that ends in .', 'files = ["assets/."]', 'BUNDLE_MANIFEST_INVALID', /must not end in "\."/],
    ['the root itself', 'files = ["."]', 'BUNDLE_MANIFEST_INVALID', /must not end in "\."/],
    ['an absolute path', 'files = ["/etc"]', 'BUNDLE_MANIFEST_INVALID', /absolute/],
    ['a destination above the root', 'files = [{ source = "one", destination = "/../x" }]', 'BUNDLE_MANIFEST_INVALID', /destination: .*"\.\."/],
    ['a file placed on the root', 'files = [{ source = "one", destination = "/" }]', 'BUNDLE_MANIFEST_INVALID', /must name the file/],
    ['a broken glob', 'files = ["a**"]', 'BUNDLE_MANIFEST_INVALID', /whole segment/],
    ['a broken glob to exclude', 'exclude_files = ["["]', 'BUNDLE_MANIFEST_INVALID', /exclude_files\[0\]: "\[": a "\[" is not closed/],
    ['a file that is a folder too', 'files = [{ source = "one", destination = "/x" }, { source = "one", destination = "/x/y" }]', 'BUNDLE_MANIFEST_INVALID', /\/x would be a file and a folder/],
  ])('refuses %s', (_, component, code, message) => {
    const error = refusal(component);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it('names a source that is not in the bundle', () => {
    expect(() => lock('', ['spin.toml'])).toThrow(/line 8, component.c.source: there is no file "c.wasm" in the bundle for component "c"/);
    expect(() => lock('', ['spin.toml', 'c.wasm/x'], ['c.wasm'])).toThrow(/it is a folder/);
  });

  it('warns of patterns that take everything or nothing', () => {
    expect(lock('files = ["*", "none/*"]').warnings.map(({ message }) => message)).toEqual([expect.stringMatching(/mounts everything/), expect.stringMatching(/no file in the bundle matches "none\/\*"/)]);
  });

  it('refuses patterns that cost too much to compare', () => {
    const many = Array.from({ length: 3000 }, (_, i) => `f${i}`);
    expect(() => lock(`files = [${'"x*",'.repeat(1000)}]`, ['c.wasm', 'spin.toml', ...many])).toThrow(/more than 2000000 paths/);
  });

  it('leaves sources by URL to who may fetch them', () => {
    const digest = digestOf('remote');
    const { app, remoteSources } = lockApp(parseManifest(`spin_manifest_version = 2\n[application]\nname = "a"\n[[trigger.http]]\nroute = "/"\ncomponent = { source = { url = "https://x.com/c.wasm", digest = "${digest}" } }\n`), bundle(['spin.toml']));
    expect(remoteSources).toEqual([{ component: 'http-trigger1-component', url: 'https://x.com/c.wasm', digest }]);
    expect(app.components[0]).toMatchObject({ source: digest, sourceBytes: 0 });
  });
});
