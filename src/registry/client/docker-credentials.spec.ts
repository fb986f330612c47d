import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DockerCredentials } from './docker-credentials.js';

const base64 = (text: string) => Buffer.from(text).toString('base64');

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whorl-docker-'));
  file = join(folder, 'config.json');
});
afterEach(() => rm(folder, { recursive: true }));
const open = async (config: unknown) => {
  await writeFile(file, typeof config === 'string' ? config : JSON.stringify(config));
  return DockerCredentials.open(file);
};

describe(DockerCredentials.name, () => {
  it('has what each registry is given, by host and port', async () => {
    const credentials = await open({
      auths: {
        'ghcr.io': { auth: base64('me:pass:word') }, 'https://index.docker.io/v1/': { username: 'hub', password: 'p' },
        'registry.example:5000': { identitytoken: 'refresh', auth: base64('00000000:') }, 'token.example': { registrytoken: 'bearer' }, 'empty.example': {},
      },
      HttpHeaders: {},
    });
    expect(await credentials.find('ghcr.io')).toEqual({ kind: 'password', username: 'me', password: 'pass:word' });
    expect(await credentials.find('docker.io')).toEqual({ kind: 'password', username: 'hub', password: 'p' });
    expect(await credentials.find('registry.example:5000')).toEqual({ kind: 'identity-token', token: 'refresh' });
    expect(await credentials.find('token.example')).toEqual({ kind: 'registry-token', token: 'bearer' });
    for (const host of ['registry.example', 'empty.example', 'other.example']) expect(await credentials.find(host)).toBeUndefined();
  });

  it('sees what the operator changes, and says when that cannot be read', async () => {
    const credentials = await open({ auths: {} });
    await open({ auths: { 'ghcr.io': { auth: base64('a:b') } } });
    expect(await credentials.find('ghcr.io')).toMatchObject({ username: 'a' });
    await rm(file);
    await expect(credentials.find('ghcr.io')).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_DENIED', message: expect.stringContaining('cannot be read') });
  });

  it('knows nobody without a file', async () => {
    expect(await (await DockerCredentials.open(undefined)).find('ghcr.io')).toBeUndefined();
  });

  it.each([
    ['a store of credentials', { credsStore: 'desktop' }, /docker-credential-desktop, which is not run here/],
    ['a helper for one registry', { auths: {}, credHelpers: { 'gcr.io': 'gcloud' } }, /docker-credential-gcloud/],
    ['an auth that is none', { auths: { 'ghcr.io': { auth: 'nonsense' } } }, /"auth" for ghcr\.io that is not base64/],
    ['other types', { auths: [] }, /is no Docker config\.json: auths/],
    ['no JSON', 'secret', /is no JSON$/],
  ])('refuses %s by name', async (_what, config, message) => {
    await expect(open(config)).rejects.toThrow(message);
  });
});
