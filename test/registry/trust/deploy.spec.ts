import { execFile } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ImageTrust } from '#contract/image-trust.js';
import { until } from '../../api/until.js';
import { buildWat } from '../../fixtures/build-wat.js';
import { isInstalled } from '../../fixtures/servers/server-process.js';
import { digestOf, OciFixture } from '../oci/oci.fixture.js';
import { bundleOf } from '../registry-fixture.js';
import { makeBundle, makeEnvelope, simpleSigning } from './image-shelf.js';
import { Sigstore } from './sigstore.js';

const run = promisify(execFile);
const SIGNED = 'https://sigstore.dev/cosign/sign/v1';
const CI = { issuer: 'https://token.actions.githubusercontent.com', subject: 'https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/main' };
const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }) as string;

let fixture: OciFixture;
let dir: string;
let wasm: Uint8Array;
const sigstore = new Sigstore();
const release = generateKeyPairSync('ec', { namedCurve: 'P-256' });

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'whorl-trusted-'));
  await writeFile(join(dir, 'trusted_root.json'), JSON.stringify(TrustedRoot.toJSON(sigstore.trustedRoot())));
  [fixture, wasm] = await Promise.all([OciFixture.start({ WHORL_TRUSTED_ROOT: join(dir, 'trusted_root.json') }), buildWat('loop')]);
});
afterAll(async () => {
  await fixture.stop();
  await rm(dir, { recursive: true, force: true });
});

/** Pushes the component as an image of its own, told from others by a note. */
async function pushImage(app: string, tag: string, note: string): Promise<{ digest: string; bytes: number }> {
  const layer = await fixture.pushBlob(app, wasm, 'application/wasm');
  const config = await fixture.pushBlob(app, Buffer.from('{}'), 'application/vnd.oci.empty.v1+json');
  const answer = await fixture.pushManifest(app, tag, { schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config, layers: [layer], annotations: { note } });
  expect(answer.status).toBe(201);
  return { digest: answer.headers.get('docker-content-digest')!, bytes: Number((await fixture.call('HEAD', `/v2/${app}/manifests/${tag}`)).headers.get('content-length')) };
}

async function signByTag(app: string, digest: string, key: KeyObject): Promise<void> {
  const payload = simpleSigning(digest);
  const config = await fixture.pushBlob(app, Buffer.from('{}'), 'application/vnd.oci.image.config.v1+json');
  const layer = await fixture.pushBlob(app, payload, 'application/vnd.dev.cosign.simplesigning.v1+json');
  const annotations = { 'dev.cosignproject.cosign/signature': sign('sha256', payload, key).toString('base64') };
  await fixture.pushManifest(app, `${digest.replace(':', '-')}.sig`, { schemaVersion: 2, config, layers: [{ ...layer, annotations }] });
}

async function attachBundle(app: string, subject: { digest: string; bytes: number }, bundle: object): Promise<void> {
  const config = await fixture.pushBlob(app, Buffer.from('{}'), 'application/vnd.oci.empty.v1+json');
  const layer = await fixture.pushBlob(app, Buffer.from(JSON.stringify(bundle)), 'application/vnd.dev.sigstore.bundle.v0.3+json');
  const document = {
    schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', artifactType: layer.mediaType, config, layers: [layer],
    subject: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: subject.digest, size: subject.bytes },
  };
  const answer = await fixture.pushManifest(app, digestOf(Buffer.from(JSON.stringify(document))), document);
  expect(answer.headers.get('oci-subject')).toBe(subject.digest);
}

const call = async (method: string, path: string, body?: unknown) => {
  const answer = await fixture.call(method, path, body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
  return { status: answer.status, headers: answer.headers, body: answer.json<Record<string, unknown>>() };
};
const deploy = (app: string, image: string) => call('POST', `/v1/apps/${app}/versions?rollout=none`, { image });
const trustOf = async (app: string, version: number) => (await call('GET', `/v1/apps/${app}/versions/${version}`)).body['trust'] as ImageTrust;
const setPolicy = (...rules: object[]) => call('PUT', '/v1/trust-policy', { rules });

describe('PUT /v1/trust-policy', () => {
  it('is kept, and changed only as it was seen', async () => {
    const before = await call('GET', '/v1/trust-policy');
    expect([before.body, before.headers.get('etag')]).toEqual([{ rules: [], updatedBy: null, updatedAt: null }, '"0"']);
    const headers = (etag: string) => ({ 'content-type': 'application/json', 'if-match': etag });
    const put = (etag: string) => fixture.call('PUT', '/v1/trust-policy', { body: JSON.stringify({ rules: [{ mode: 'warn', signers: [{ name: 'release', key: pem(release.publicKey) }] }] }), headers: headers(etag) });
    expect((await put('"7"')).status).toBe(412);
    const set = await put('"0"');
    expect([set.status, set.headers.get('etag'), set.json()]).toEqual([200, '"1"', expect.objectContaining({ updatedBy: 'admin', rules: [expect.objectContaining({ apps: ['*'], images: ['*'], mode: 'warn' })] })]);
    expect((await put('"0"')).status).toBe(412);
    expect((await put('"1"')).headers.get('etag')).toBe('"2"');
    expect((await call('GET', '/v1/trust-policy')).body).toEqual(expect.objectContaining({ updatedBy: 'admin' }));
  });

  it('names what is wrong with a signer', async () => {
    const { status, body } = await setPolicy({ mode: 'enforce', signers: [{ name: 'x', key: 'nonsense' }] });
    expect([status, body['code']]).toEqual([400, 'API_INPUT_INVALID']);
  });
});

describe('a version that is made of an image', () => {
  const enforce = { mode: 'enforce', signers: [{ name: 'release', key: pem(release.publicKey) }, { issuer: CI.issuer, subject: 'https://github.com/acme/*' }] };

  it('is refused without a signature, and made with one; a bundle is refused too', async () => {
    await setPolicy({ apps: ['shop'], ...enforce });
    const { digest } = await pushImage('shop', '1.0.0', 'one');
    expect(await deploy('shop', 'shop:1.0.0')).toMatchObject({ status: 422, body: { code: 'REGISTRY_SIGNATURE_MISSING' } });
    expect((await call('GET', '/v1/apps/shop')).status).toBe(404);
    await signByTag('shop', digest, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
    expect(await deploy('shop', 'shop:1.0.0')).toMatchObject({ status: 422, body: { code: 'REGISTRY_SIGNATURE_UNTRUSTED' } });
    await signByTag('shop', digest, release.privateKey);
    expect(await deploy('shop', 'shop:1.0.0')).toMatchObject({ status: 201, body: { version: 1, warnings: [] } });
    expect(await trustOf('shop', 1)).toMatchObject({ state: 'verified', signatures: [{ stored: 'tag', verified: true, key: 'release' }] });
    const bundle = () => bundleOf(wasm).then((body) => fixture.call('POST', '/v1/apps/shop/versions?rollout=none', { body, headers: { 'content-type': 'application/gzip' } }));
    expect((await bundle()).json()).toMatchObject({ status: 422, code: 'REGISTRY_SIGNATURE_MISSING', detail: expect.stringContaining('a bundle has no signature') });
    await setPolicy({ apps: ['shop'], ...enforce, mode: 'warn' });
    expect((await bundle()).json()).toMatchObject({ version: 2, warnings: [expect.stringContaining('a bundle has no signature')] });
    expect(await trustOf('shop', 2)).toBeNull();
  });

  it('shows a keyless signature and provenance that refer to it', async () => {
    await setPolicy({ ...enforce, signers: [enforce.signers[1]!] });
    const subject = await pushImage('keyless', '1.0.0', 'two');
    for (const predicate of [SIGNED, 'https://slsa.dev/provenance/v1']) {
      const certified = sigstore.certify(CI);
      const { payload, signature, dsseEnvelope } = makeEnvelope(subject, predicate, certified.key);
      const { entry } = sigstore.logEnvelope(payload, signature, certified.pem);
      await attachBundle('keyless', subject, makeBundle({ certificate: { rawBytes: certified.certificate.toString('base64') }, tlogEntries: [entry] }, { dsseEnvelope }));
    }
    expect(await deploy('keyless', 'keyless:1.0.0')).toMatchObject({ status: 201 });
    const trust = await trustOf('keyless', 1);
    expect(trust).toMatchObject({
      state: 'verified', signatures: [{ stored: 'bundle', verified: true, ...CI, signedAt: '2026-01-01T12:00:00.000Z' }],
      attachments: [{ kind: 'provenance', stored: 'referrer', predicateType: 'https://slsa.dev/provenance/v1', verified: true }],
    });
    const fetched = await fixture.call('GET', trust.attachments[0]!.url);
    expect([fetched.status, fetched.json<{ subject: { digest: string } }>().subject.digest]).toEqual([200, subject.digest]);
  });

  it('is made with a warning where the policy only warns, and shows what it finds out later', async () => {
    await setPolicy({ ...enforce, mode: 'warn' });
    const { digest } = await pushImage('later', '1.0.0', 'three');
    expect(await deploy('later', 'later:1.0.0')).toMatchObject({ status: 201, body: { warnings: [expect.stringContaining('it has no signature')] } });
    expect(await trustOf('later', 1)).toMatchObject({ state: 'unsigned', reason: expect.stringContaining(digest) });
    await signByTag('later', digest, release.privateKey);
    expect(await deploy('later', 'later:1.0.0')).toMatchObject({ status: 200, body: { version: 1, warnings: [] } });
    expect(await trustOf('later', 1)).toMatchObject({ state: 'verified' });
  });

  it('has what is attached to it listed where no policy asks for anything', async () => {
    await setPolicy();
    await pushImage('free', '1.0.0', 'four');
    expect(await deploy('free', 'free:1.0.0')).toMatchObject({ status: 201, body: { warnings: [] } });
    expect(await trustOf('free', 1)).toEqual({ state: 'unchecked', signatures: [], attachments: [] });
  });
});

describe('an image that a channel deploys on push', () => {
  it('waits for its signature, which is no image itself', async () => {
    await setPolicy({ mode: 'enforce', signers: [{ name: 'release', key: pem(release.publicKey) }] });
    const path = '/v1/apps/pushed/channels/production/deploy-on-push';
    await call('PUT', path, { tags: '*' });
    const { digest } = await pushImage('pushed', 'main', 'five');
    const pushes = async () => (await call('GET', path)).body['pushes'] as { tag: string; state: string; version: number | null; reason?: { code: string } }[];
    await until(async () => (await pushes())[0]?.reason !== undefined);
    expect(await pushes()).toMatchObject([{ tag: 'main', state: 'pending', version: null, reason: { code: 'REGISTRY_SIGNATURE_MISSING' } }]);
    await signByTag('pushed', digest, release.privateKey);
    await fixture.sql('UPDATE tag_push SET retry_at = now()');
    await until(async () => (await pushes())[0]!.state !== 'pending', 30_000);
    expect(await pushes()).toMatchObject([{ tag: 'main', state: 'deployed', version: 1 }]);
    expect(await trustOf('pushed', 1)).toMatchObject({ state: 'verified' });
  }, 60_000);

  it('is its pusher\'s, who cannot be the one to approve it where another must', async () => {
    await setPolicy();
    const path = '/v1/apps/paired/channels/production';
    await call('PUT', `${path}/deploy-on-push`, { tags: '*' });
    await call('PUT', `${path}/policy`, { approval: { newCapabilities: true, byAnother: true } });
    const both = await fixture.token('repository:default/paired:pull,push', 'approve');
    const layer = await fixture.pushBlob('paired', await buildWat('forward-02'), 'application/wasm');
    const config = await fixture.pushBlob('paired', Buffer.from('{}'), 'application/vnd.oci.empty.v1+json');
    const document = JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config, layers: [layer] });
    expect((await fixture.call('PUT', '/v2/paired/manifests/main', { body: document, headers: { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }, authorization: `Bearer ${both}` })).status).toBe(201);
    const waiting = async () => ((await call('GET', '/v1/apps/paired/rollouts')).body['items'] as { rollout: number; phase: string; causedBy: string }[])[0];
    await until(async () => (await waiting()) !== undefined);
    const { rollout, phase, causedBy } = (await waiting())!;
    expect([phase, causedBy]).toEqual(['awaiting-approval', expect.stringMatching(/^token-/)]);
    const decide = (authorization: string) => fixture.call('POST', `/v1/apps/paired/rollouts/${rollout}/approve?wait=0`, { authorization });
    expect((await decide(`Bearer ${both}`)).json()).toMatchObject({ status: 403, code: 'API_APPROVAL_BY_ANOTHER' });
    expect((await decide(`Bearer ${await fixture.token('approve')}`)).json()).toMatchObject({ state: 'pending' });
  }, 60_000);

  it('is given up when no signature has come for long', async () => {
    await setPolicy({ mode: 'enforce', signers: [{ name: 'release', key: pem(release.publicKey) }] });
    const path = '/v1/apps/unsigned/channels/production/deploy-on-push';
    await call('PUT', path, { tags: '*' });
    await pushImage('unsigned', 'main', 'six');
    const state = async () => ((await call('GET', path)).body['pushes'] as { state: string; reason?: object }[])[0];
    await until(async () => (await state())?.reason !== undefined);
    // As if all of it had been a quarter of an hour ago.
    await fixture.sql(`UPDATE repository_tag SET updated_at = updated_at - interval '16 minutes' WHERE name = 'main'`);
    await fixture.sql(`UPDATE tag_push SET retry_at = now(), pushed_at = pushed_at - interval '16 minutes' WHERE state = 'pending'`);
    await until(async () => (await state())!.state !== 'pending', 30_000);
    expect(await state()).toMatchObject({ state: 'failed', reason: { code: 'REGISTRY_SIGNATURE_MISSING' } });
  }, 60_000);
});

const whereInstalled = isInstalled('cosign') ? describe : describe.skip;
whereInstalled(`cosign itself${isInstalled('cosign') ? '' : ' (left out: cosign is not installed)'}`, () => {
  let key: string;
  const env = { ...process.env, COSIGN_PASSWORD: '', COSIGN_EXPERIMENTAL: '0' };
  const cosign = (command: 'sign' | 'attest', digest: string, ...flags: string[]) =>
    run('cosign', [command, '--key', 'cosign.key', '--use-signing-config=false', '--tlog-upload=false', '--allow-http-registry', '--registry-username', 'me', '--registry-password', fixture.adminToken, '-y', ...flags, `${fixture.host()}/default/real@${digest}`], { cwd: dir, env });

  beforeAll(async () => {
    await run('cosign', ['generate-key-pair'], { cwd: dir, env });
    key = await readFile(join(dir, 'cosign.pub'), 'utf8');
    await setPolicy({ mode: 'enforce', signers: [{ name: 'cosign', key }] });
  });

  it.each([
    ['a bundle', 'bundle', 'referrer', ['--new-bundle-format=true']],
    ['a tag', 'tag', 'tag', ['--new-bundle-format=false']],
  ])('signs images of the built-in registry with %s that counts, and attests likewise', async (_what, stored, attached, flags) => {
    const { digest } = await pushImage('real', stored, stored);
    expect(await deploy('real', `real:${stored}`)).toMatchObject({ status: 422, body: { code: 'REGISTRY_SIGNATURE_MISSING' } });
    await cosign('sign', digest, ...flags);
    await writeFile(join(dir, 'predicate.json'), JSON.stringify({ buildDefinition: { buildType: 'x', externalParameters: {} }, runDetails: { builder: { id: 'x' } } }));
    await cosign('attest', digest, '--type', 'slsaprovenance1', '--predicate', 'predicate.json', ...flags);
    const { status, body } = await deploy('real', `real:${stored}`);
    expect(status).toBe(201);
    expect(await trustOf('real', body['version'] as number)).toMatchObject({ state: 'verified', signatures: [{ stored, verified: true, key: 'cosign' }], attachments: [{ kind: 'provenance', stored: attached, predicateType: 'https://slsa.dev/provenance/v1' }] });
  });
});
