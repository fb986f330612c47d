import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isInstalled } from '../../fixtures/servers/server-process.js';
import { OciFixture, IMAGE, INDEX, digestOf } from './oci.fixture.js';

const run = promisify(execFile);
const REPOSITORY = 'default/clients';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar';

/** What people use, with its own way of pushing and of asking for tokens. */
function describeWith(program: string, tests: () => void): void {
  if (isInstalled(program)) describe(program, tests);
  // oxlint-disable-next-line jest/no-disabled-tests -- says what is left out
  else describe.skip(`${program} (left out: ${program} is not installed)`, tests);
}

describe('clients of the OCI registry', () => {
  let fixture: OciFixture;
  let dir: string;
  let reader: string;
  beforeAll(async () => {
    fixture = await OciFixture.start();
    dir = await mkdtemp(join(tmpdir(), 'whorl-clients-'));
    reader = await fixture.token(`repository:${REPOSITORY}:pull`);
    await writeImageLayout(join(dir, 'layout'));
  });
  afterAll(async () => {
    await fixture.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const reference = (tag: string): string => `${fixture.host()}/${REPOSITORY}:${tag}`;
  const call = async (program: string, args: string[], cwd = dir): Promise<string> => {
    // Each has a home of its own: what it remembers of tokens and blobs is its own.
    const { stdout } = await run(program, args, { cwd, env: { ...process.env, HOME: dir, DOCKER_CONFIG: join(dir, 'docker'), XDG_RUNTIME_DIR: dir }, timeout: 60_000 });
    return stdout;
  };

  /** An OCI image layout (image-spec) with an image of two layers, one of 3 MB, and an index of it. */
  async function writeImageLayout(folder: string): Promise<void> {
    await mkdir(join(folder, 'blobs/sha256'), { recursive: true });
    const put = async (content: Buffer, mediaType: string) => {
      const digest = digestOf(content);
      await writeFile(join(folder, 'blobs/sha256', digest.slice(7)), content);
      return { mediaType, digest, size: content.length };
    };
    const layers = [await put(randomBytes(3_000_000), LAYER), await put(randomBytes(100), LAYER)];
    const config = await put(Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) } })), CONFIG);
    const image = await put(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: IMAGE, config, layers })), IMAGE);
    const index = await put(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [{ ...image, platform: { architecture: 'amd64', os: 'linux' } }] })), INDEX);
    const named = (descriptor: object, name: string): object => ({ ...descriptor, annotations: { 'org.opencontainers.image.ref.name': name } });
    await writeFile(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [named(image, 'image'), named(index, 'index')] }));
    await writeFile(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  }

  /** By name of the file. */
  const blobsOf = async (folder: string): Promise<Map<string, Buffer>> =>
    new Map(await Promise.all((await readdir(join(folder, 'blobs/sha256'))).map(async (name) => [name, await readFile(join(folder, 'blobs/sha256', name))] as const)));

  describeWith('skopeo', () => {
    const insecure = ['--src-tls-verify=false', '--dest-tls-verify=false'];
    const policy = ['--insecure-policy'];
    const push = (from: string, tag: string, ...args: string[]) =>
      call('skopeo', [...policy, 'copy', ...insecure, '--preserve-digests', `--dest-creds=me:${fixture.adminToken}`, ...args, `oci:${join(dir, 'layout')}:${from}`, `docker://${reference(tag)}`]);

    it('pushes an image, and pulls the same bytes', async () => {
      await push('image', 'skopeo');
      await call('skopeo', [...policy, 'copy', ...insecure, '--preserve-digests', `--src-creds=me:${reader}`, `docker://${reference('skopeo')}`, `oci:${join(dir, 'pulled')}:image`]);
      const [pushed, pulled] = [await blobsOf(join(dir, 'layout')), await blobsOf(join(dir, 'pulled'))];
      expect(pulled.size).toBe(4);
      for (const [name, content] of pulled) expect(content).toEqual(pushed.get(name));
    });

    it('pushes an index with all that it names', async () => {
      await push('index', 'skopeo-all', '--all');
      const raw = await call('skopeo', ['inspect', '--raw', '--tls-verify=false', `--creds=me:${reader}`, `docker://${reference('skopeo-all')}`]);
      expect(JSON.parse(raw)).toMatchObject({ mediaType: INDEX, manifests: [{ platform: { os: 'linux' } }] });
    });

    it('copies from one repository to another, where blobs are mounted', async () => {
      await push('image', 'mounted');
      await call('skopeo', [...policy, 'copy', ...insecure, `--src-creds=me:${fixture.adminToken}`, `--dest-creds=me:${fixture.adminToken}`, `docker://${reference('mounted')}`, `docker://${fixture.host()}/copied:latest`]);
      expect((await fixture.call('GET', '/v2/default/copied/manifests/latest')).status).toBe(200);
    });

    it('inspects and lists tags', async () => {
      await push('image', 'inspected');
      const inspected = JSON.parse(await call('skopeo', ['inspect', '--tls-verify=false', `--creds=me:${reader}`, `docker://${reference('inspected')}`])) as { RepoTags: string[]; Layers: string[] };
      expect([inspected.RepoTags.includes('inspected'), inspected.Layers.length]).toEqual([true, 2]);
      const listed = JSON.parse(await call('skopeo', ['list-tags', '--tls-verify=false', `--creds=me:${reader}`, `docker://${fixture.host()}/${REPOSITORY}`])) as { Tags: string[] };
      expect(listed.Tags).toContain('inspected');
    });

    it('deletes', async () => {
      await call('skopeo', [...policy, 'copy', ...insecure, `--dest-creds=me:${fixture.adminToken}`, `oci:${join(dir, 'layout')}:image`, `docker://${fixture.host()}/deleted:one`]);
      await call('skopeo', ['delete', '--tls-verify=false', `--creds=me:${fixture.adminToken}`, `docker://${fixture.host()}/deleted:one`]);
      expect((await fixture.call('GET', '/v2/deleted/manifests/one')).status).toBe(404);
    });

    it('logs in, and is told when the token is wrong or does not allow it', async () => {
      const authfile = ['--authfile', join(dir, 'auth.json')];
      await call('skopeo', ['login', ...authfile, '--tls-verify=false', '-u', 'me', '-p', reader, fixture.host()]);
      await expect(call('skopeo', ['login', '--authfile', join(dir, 'none.json'), '--tls-verify=false', '-u', 'me', '-p', 'wrong', fixture.host()])).rejects.toThrow(/invalid username\/password/);
      await push('image', 'login');
      await call('skopeo', ['inspect', ...authfile, '--tls-verify=false', `docker://${reference('login')}`]);
      await expect(call('skopeo', [...policy, 'copy', ...authfile, ...insecure, `oci:${join(dir, 'layout')}:image`, `docker://${reference('refused')}`])).rejects.toThrow(/denied|unauthorized|authentication required/);
      await expect(call('skopeo', ['inspect', '--authfile', join(dir, 'none.json'), '--tls-verify=false', `docker://${reference('login')}`])).rejects.toThrow(/unauthorized|authentication required/);
    });
  });

  describeWith('oras', () => {
    const plain = ['--plain-http'];
    const login = (token: string) => [...plain, '--username', 'me', '--password', token];

    it('pushes files with a type, attaches to them, discovers and pulls', async () => {
      const folder = join(dir, 'oras');
      await mkdir(folder);
      await writeFile(join(folder, 'hello.txt'), 'hello');
      await call('oras', ['push', ...login(fixture.adminToken), '--artifact-type', 'application/vnd.example.hello', reference('oras'), 'hello.txt:text/plain'], folder);
      await writeFile(join(folder, 'sbom.json'), '{}');
      await call('oras', ['attach', ...login(fixture.adminToken), '--artifact-type', 'application/vnd.example.sbom', reference('oras'), 'sbom.json:application/json'], folder);
      const discovered = await call('oras', ['discover', ...login(reader), '--format', 'json', '--artifact-type', 'application/vnd.example.sbom', reference('oras')]);
      expect(discovered).toContain('application/vnd.example.sbom');
      await call('oras', ['pull', ...login(reader), '--output', join(dir, 'oras-pulled'), reference('oras')]);
      expect(await readFile(join(dir, 'oras-pulled/hello.txt'), 'utf8')).toBe('hello');
      expect((await call('oras', ['repo', 'tags', ...login(reader), `${fixture.host()}/${REPOSITORY}`])).split('\n')).toContain('oras');
      await call('oras', ['manifest', 'delete', '--force', ...login(fixture.adminToken), reference('oras')]);
      expect((await fixture.call('GET', `/v2/${REPOSITORY}/manifests/oras`)).status).toBe(404);
    });

    it('copies an index with all that it names', async () => {
      await call('oras', ['cp', '--from-oci-layout', '--to-plain-http', '--to-username', 'me', '--to-password', fixture.adminToken, `${join(dir, 'layout')}:index`, reference('oras-index')]);
      expect((await fixture.call('GET', `/v2/${REPOSITORY}/manifests/oras-index`)).headers.get('content-type')).toBe(INDEX);
    });
  });

  describeWith('crane', () => {
    it('logs in, copies, lists, reads and deletes', async () => {
      await call('crane', ['auth', 'login', fixture.host(), '-u', 'me', '-p', fixture.adminToken]);
      const { digest } = await fixture.pushImage(REPOSITORY, 'for-crane', { layers: 2 });
      await call('crane', ['copy', '--insecure', reference('for-crane'), `${fixture.host()}/crane-copied:v1`]);
      expect((await call('crane', ['digest', '--insecure', `${fixture.host()}/crane-copied:v1`])).trim()).toBe(digest);
      expect((await call('crane', ['ls', '--insecure', `${fixture.host()}/crane-copied`])).trim()).toBe('v1');
      expect(digestOf(Buffer.from(await call('crane', ['manifest', '--insecure', `${fixture.host()}/crane-copied:v1`])))).toBe(digest);
      await call('crane', ['tag', '--insecure', `${fixture.host()}/crane-copied:v1`, 'v2']);
      await call('crane', ['delete', '--insecure', `${fixture.host()}/crane-copied@${digest}`]);
      expect((await fixture.call('GET', '/v2/crane-copied/manifests/v2')).status).toBe(404);
    });
  });
});
