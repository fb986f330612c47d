import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { WhorlError } from '#contract/errors.js';
import type { ImageTrust } from '#contract/image-trust.js';
import type { ResolvedImage } from '#registry/artifact/image-source.js';
import { TrustPolicy } from '#registry/trust/trust-policy.js';
import { TrustService } from '#registry/trust/trust.service.js';
import { ImageShelf, makeBundle, makeEnvelope, simpleSigning } from './image-shelf.js';
import { Sigstore } from './sigstore.js';

const SIGNED = 'https://sigstore.dev/cosign/sign/v1';
const SLSA = 'https://slsa.dev/provenance/v1';
const CI = { issuer: 'https://token.actions.githubusercontent.com', subject: 'https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/main' };
const BY_CI = { issuer: CI.issuer, subject: 'https://github.com/acme/*@refs/heads/main' };

const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }) as string;
const sigstore = new Sigstore();

/** @param root whose identities and log are believed; null: nobody's */
function trust(policy: object, root: Sigstore | null = sigstore): TrustService {
  const record = { policy: TrustPolicy.parse(policy), revision: 1, updatedBy: 'admin', updatedAt: new Date() };
  return new TrustService({ find: async () => record, put: async () => record }, root?.trustedRoot());
}

const verify = (service: TrustService, shelf: ImageShelf, image: ResolvedImage, app = 'shop'): Promise<ImageTrust> =>
  service.verifyImage(image, { app, source: shelf, signal: new AbortController().signal });
const rule = (...signers: object[]) => ({ rules: [{ mode: 'warn', signers }] });
const keys = {
  'ECDSA P-256': () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  Ed25519: () => generateKeyPairSync('ed25519'),
  'RSA 2048': () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
};

describe.each(Object.entries(keys))('a signature made with a key (%s)', (_name, make) => {
  const { publicKey, privateKey } = make();
  const policy = rule({ name: 'release', key: pem(publicKey) });

  it('counts under a tag of the image', async () => {
    const shelf = new ImageShelf();
    const image = shelf.image('a');
    const digest = shelf.signByTag(image, privateKey);
    expect(await verify(trust(policy), shelf, image)).toEqual({ state: 'verified', signatures: [{ stored: 'tag', digest, verified: true, key: 'release' }], attachments: [] });
  });

  it('counts as a bundle with a statement', async () => {
    const shelf = new ImageShelf();
    const image = shelf.image('a');
    shelf.attachBundle(image, makeBundle({ publicKey: { hint: 'x' } }, { dsseEnvelope: makeEnvelope(image, SIGNED, privateKey).dsseEnvelope }));
    expect(await verify(trust(policy), shelf, image)).toMatchObject({ state: 'verified', signatures: [{ stored: 'bundle', verified: true, key: 'release' }] });
  });

  it('counts as a bundle with a signature on the manifest', async () => {
    const shelf = new ImageShelf();
    const image = shelf.image('a');
    const bundleOf = (manifest: Buffer) => makeBundle({ publicKey: { hint: 'x' } }, {
      messageSignature: { messageDigest: { algorithm: 'SHA2_256', digest: createHash('sha256').update(manifest).digest('base64') }, signature: sign(publicKey.asymmetricKeyType === 'ed25519' ? null : 'sha256', manifest, privateKey).toString('base64') },
    });
    shelf.attachBundle(image, bundleOf(image.manifest));
    expect(await verify(trust(policy), shelf, image)).toMatchObject({ state: 'verified' });
    const other = new ImageShelf();
    other.attachBundle(image, bundleOf(Buffer.from('another manifest')));
    expect(await verify(trust(policy), other, image)).toMatchObject({ state: 'untrusted', signatures: [{ reason: expect.stringContaining('not on this image') }] });
  });

  it('does not count when another key made it', async () => {
    const shelf = new ImageShelf();
    const image = shelf.image('a');
    shelf.signByTag(image, make().privateKey);
    shelf.attachBundle(image, makeBundle({ publicKey: { hint: 'x' } }, { dsseEnvelope: makeEnvelope(image, SIGNED, make().privateKey).dsseEnvelope }));
    expect(await verify(trust(policy), shelf, image)).toMatchObject({
      state: 'untrusted', signatures: [{ verified: false, reason: 'release: signature verification failed' }, { verified: false, reason: 'release: signature verification failed' }],
    });
  });
});

describe('a signature made with a key', () => {
  const { publicKey, privateKey } = keys['ECDSA P-256']();
  const policy = rule({ name: 'release', key: pem(publicKey) });

  it('on another image says nothing about this one, however good it is', async () => {
    const shelf = new ImageShelf();
    const [image, other] = [shelf.image('a'), shelf.image('b', '2.0.0')];
    shelf.signByTag(image, privateKey, {}, simpleSigning(other.digest));
    shelf.attachBundle(image, makeBundle({ publicKey: { hint: '' } }, { dsseEnvelope: makeEnvelope(other, SIGNED, privateKey).dsseEnvelope }));
    const { state, signatures } = await verify(trust(policy), shelf, image);
    expect([state, ...signatures.map(({ reason }) => reason)]).toEqual(['untrusted', `it is on ${other.digest}, not on this image`, `it is on ${other.digest}, not on this image`]);
  });

  it('counts beside others that do not', async () => {
    const shelf = new ImageShelf();
    const image = shelf.image('a');
    shelf.signByTag(image, keys.Ed25519().privateKey);
    shelf.signByTag(image, privateKey, {}, simpleSigning(image.digest, 'elsewhere'));
    expect(await verify(trust(policy), shelf, image)).toMatchObject({ state: 'verified', signatures: [{ verified: false }, { verified: true }] });
  });

  it('needs the log where the policy says so', async () => {
    const logged = rule({ name: 'release', key: pem(publicKey), transparencyLog: true });
    const shelf = new ImageShelf();
    const image = shelf.image('a');
    shelf.signByTag(image, privateKey);
    expect(await verify(trust(logged), shelf, image)).toMatchObject({ signatures: [{ verified: false, reason: 'release: expected 1 tlog entries, got 0' }] });
    const entered = new ImageShelf();
    entered.signByTag(image, privateKey, (payload, signature) => ({ 'dev.sigstore.cosign/bundle': sigstore.logSignature(payload, signature, pem(publicKey)).annotation }));
    expect(await verify(trust(logged), entered, image)).toMatchObject({ state: 'verified', signatures: [{ signedAt: '2026-01-01T12:00:00.000Z' }] });
    expect(await verify(trust(logged, new Sigstore()), entered, image)).toMatchObject({ state: 'untrusted' });
    expect(await verify(trust(logged, null), entered, image)).toMatchObject({ signatures: [{ reason: expect.stringContaining('WHORL_TRUSTED_ROOT') }] });
  });

  it.each([
    ['is no JSON', Buffer.from('nonsense'), 'is no JSON'],
    ['is of another kind', Buffer.from(JSON.stringify({ critical: { type: 'atomic container signature', image: {} } })), 'not as cosign writes it'],
  ])('does not count when its payload %s', async (_what, payload, reason) => {
    const shelf = new ImageShelf();
    const image = shelf.image('a');
    shelf.signByTag(image, privateKey, {}, payload);
    expect(await verify(trust(policy), shelf, image)).toMatchObject({ state: 'untrusted', signatures: [{ verified: false, reason: expect.stringContaining(reason) }] });
  });

  it('does not count when the bundle is malformed, and the others are still looked at', async () => {
    const shelf = new ImageShelf();
    const image = shelf.image('a');
    for (const bad of [{}, { mediaType: 'x' }, makeBundle({}, {}), makeBundle({ publicKey: { hint: '' } }, { dsseEnvelope: { payload: '', payloadType: '', signatures: [] } })]) shelf.attachBundle(image, bad);
    shelf.attachBundle(image, makeBundle({ publicKey: { hint: '' } }, { dsseEnvelope: makeEnvelope(image, SIGNED, privateKey).dsseEnvelope }));
    const { state, signatures } = await verify(trust(policy), shelf, image);
    expect([state, signatures.map(({ verified }) => verified)]).toEqual(['verified', [false, false, false, false, true]]);
  });
});

describe('a keyless signature', () => {
  const keylessTag = (shelf: ImageShelf, image: ResolvedImage, { identity = CI, by = sigstore, logged = sigstore.now } = {}) => {
    const certified = by.certify(identity);
    return shelf.signByTag(image, certified.key, (payload, signature) => ({ 'dev.sigstore.cosign/certificate': certified.pem, 'dev.sigstore.cosign/bundle': by.logSignature(payload, signature, certified.pem, logged).annotation }));
  };
  const keylessBundle = (shelf: ImageShelf, image: ResolvedImage, { predicate = SIGNED, by = sigstore, change = (entry: Record<string, unknown>) => entry } = {}) => {
    const certified = by.certify(CI);
    const { payload, signature, dsseEnvelope } = makeEnvelope(image, predicate, certified.key);
    const { entry } = by.logEnvelope(payload, signature, certified.pem);
    return shelf.attachBundle(image, makeBundle({ certificate: { rawBytes: certified.certificate.toString('base64') }, tlogEntries: [change(entry)] }, { dsseEnvelope }));
  };

  it('counts under a tag, by somebody whom the policy names', async () => {
    const shelf = new ImageShelf();
    const image = shelf.image('a');
    const digest = keylessTag(shelf, image);
    expect(await verify(trust(rule(BY_CI)), shelf, image)).toEqual({
      state: 'verified', signatures: [{ stored: 'tag', digest, verified: true, ...CI, signedAt: '2026-01-01T12:00:00.000Z' }], attachments: [],
    });
  });

  it('counts as a bundle', async () => {
    const shelf = new ImageShelf();
    const image = shelf.image('a');
    keylessBundle(shelf, image);
    expect(await verify(trust(rule(BY_CI)), shelf, image)).toMatchObject({ state: 'verified', signatures: [{ stored: 'bundle', verified: true, ...CI }] });
  });

  it('counts for a mail address', async () => {
    const shelf = new ImageShelf();
    const image = shelf.image('a');
    keylessTag(shelf, image, { identity: { issuer: 'https://accounts.test', subject: 'ann@acme.test' } });
    expect(await verify(trust(rule({ issuer: 'https://accounts.test', subject: '*@acme.test' })), shelf, image)).toMatchObject({ state: 'verified', signatures: [{ subject: 'ann@acme.test' }] });
  });

  it.each([
    ['another subject', { issuer: CI.issuer, subject: 'https://github.com/evil/shop/.github/workflows/release.yml@refs/heads/main' }],
    ['a subject that only contains the one named', { issuer: CI.issuer, subject: 'https://evil.test/?https://github.com/acme/shop@refs/heads/main' }],
    ['another issuer', { issuer: 'https://issuer.evil', subject: CI.subject }],
  ])('does not count for %s', async (_what, identity) => {
    const shelf = new ImageShelf();
    const image = shelf.image('a');
    keylessTag(shelf, image, { identity });
    expect(await verify(trust(rule(BY_CI)), shelf, image)).toMatchObject({
      state: 'untrusted', signatures: [{ verified: false, ...identity, reason: `the policy does not name ${identity.subject} (${identity.issuer})` }],
    });
  });

  it('does not count from an authority that is not trusted, or without any that is', async () => {
    const shelf = new ImageShelf();
    const image = shelf.image('a');
    keylessTag(shelf, image, { by: new Sigstore() });
    keylessBundle(shelf, image, { by: new Sigstore() });
    const { state, signatures } = await verify(trust(rule(BY_CI)), shelf, image);
    expect([state, signatures.map(({ verified }) => verified)]).toEqual(['untrusted', [false, false]]);
    expect(signatures[0]!.reason).toContain('certificate chain');
    expect(await verify(trust(rule(BY_CI), null), shelf, image)).toMatchObject({ signatures: [{ reason: expect.stringContaining('WHORL_TRUSTED_ROOT') }, {}] });
  });

  it('does not count when the log took it after the certificate had run out', async () => {
    const shelf = new ImageShelf();
    const image = shelf.image('a');
    keylessTag(shelf, image, { logged: new Date(sigstore.now.getTime() + 11 * 60_000) });
    expect(await verify(trust(rule(BY_CI)), shelf, image)).toMatchObject({ state: 'untrusted', signatures: [{ reason: expect.stringContaining('not valid or expired') }] });
  });

  it('does not count without the log', async () => {
    const shelf = new ImageShelf();
    const image = shelf.image('a');
    const certified = sigstore.certify(CI);
    shelf.signByTag(image, certified.key, { 'dev.sigstore.cosign/certificate': certified.pem });
    expect(await verify(trust(rule(BY_CI)), shelf, image)).toMatchObject({ state: 'untrusted', signatures: [{ reason: 'expected 1 timestamps, got 0' }] });
  });

  const tampered: [string, (entry: Record<string, unknown>) => Record<string, unknown>][] = [
    ['the promise is', (entry) => ({ ...entry, integratedTime: String(Number(entry['integratedTime']) + 1) })],
    ['the entry is', (entry) => ({ ...entry, canonicalizedBody: Buffer.from('{"apiVersion":"0.0.1","kind":"dsse","spec":{}}').toString('base64') })],
    ['the proof is', (entry) => ({ ...entry, inclusionProof: { ...(entry['inclusionProof'] as object), hashes: [Buffer.alloc(32).toString('base64')] } })],
    ['the checkpoint is', (entry) => ({ ...entry, inclusionProof: { ...(entry['inclusionProof'] as object), checkpoint: { envelope: 'log.test - 1\n2\nAAAA\n\n— log.test AAAAAAAA\n' } } })],
  ];
  it.each(tampered)('does not count when %s changed', async (_what, change) => {
    const shelf = new ImageShelf();
    const image = shelf.image('a');
    keylessBundle(shelf, image, { change });
    expect(await verify(trust(rule(BY_CI)), shelf, image)).toMatchObject({ state: 'untrusted', signatures: [{ verified: false }] });
  });

  it('by a key of the policy does not stand for an identity, nor the other way round', async () => {
    const shelf = new ImageShelf();
    const image = shelf.image('a');
    keylessTag(shelf, image);
    expect(await verify(trust(rule({ name: 'release', key: pem(keys.Ed25519().publicKey) })), shelf, image)).toMatchObject({ state: 'untrusted', signatures: [{ verified: false, ...CI }] });
  });

  it('on provenance is shown with the provenance, and is no signature of the image', async () => {
    const shelf = new ImageShelf();
    const image = shelf.image('a');
    const digest = keylessBundle(shelf, image, { predicate: SLSA });
    expect(await verify(trust(rule(BY_CI)), shelf, image)).toMatchObject({
      state: 'unsigned', signatures: [], attachments: [{ kind: 'provenance', stored: 'referrer', digest, predicateType: SLSA, verified: true, url: `https://registry.test/v2/acme/shop/manifests/${digest}` }],
    });
  });
});

describe('a policy', () => {
  const { publicKey, privateKey } = keys.Ed25519();
  const signer = { name: 'release', key: pem(publicKey) };

  it('that enforces refuses what is unsigned and what is signed by others, each with its own code', async () => {
    const shelf = new ImageShelf();
    const image = shelf.image('a');
    const service = trust({ rules: [{ mode: 'enforce', signers: [signer] }] });
    await expect(verify(service, shelf, image)).rejects.toMatchObject({ code: 'REGISTRY_SIGNATURE_MISSING', message: expect.stringContaining(image.digest) });
    shelf.signByTag(image, keys.Ed25519().privateKey);
    await expect(verify(service, shelf, image)).rejects.toMatchObject({ code: 'REGISTRY_SIGNATURE_UNTRUSTED', message: expect.stringContaining('release: signature verification failed') });
    shelf.signByTag(image, privateKey, {}, simpleSigning(image.digest, 'again'));
    expect(await verify(service, shelf, image)).toMatchObject({ state: 'verified' });
  });

  it('asks by the first rule that fits app and image', async () => {
    const shelf = new ImageShelf();
    const image = shelf.image('a');
    const service = trust({ rules: [{ apps: ['lab-*'], mode: 'off' }, { images: ['registry.test/acme/*'], mode: 'enforce', signers: [signer] }] });
    expect(await verify(service, shelf, image, 'lab-1')).toMatchObject({ state: 'unchecked' });
    await expect(verify(service, shelf, image)).rejects.toMatchObject({ code: 'REGISTRY_SIGNATURE_MISSING' });
    expect(await verify(service, shelf, { ...image, reference: 'other.test/acme/shop:1' })).toMatchObject({ state: 'unchecked' });
  });

  it('holds for bundles too where its rule names all images', async () => {
    expect(await trust({ rules: [] }).checkUnsigned('shop')).toBeUndefined();
    expect(await trust({ rules: [{ images: ['registry.test/*'], mode: 'enforce', signers: [signer] }] }).checkUnsigned('shop')).toBeUndefined();
    expect(await trust({ rules: [{ mode: 'warn', signers: [signer] }] }).checkUnsigned('shop')).toContain('a bundle has no signature');
    await expect(trust({ rules: [{ mode: 'enforce', signers: [signer] }] }).checkUnsigned('shop')).rejects.toMatchObject({ code: 'REGISTRY_SIGNATURE_MISSING' });
  });

  it('that enforces does not take silence of the registry for an answer; without one, nothing ends', async () => {
    const shelf = new ImageShelf();
    const image = shelf.image('a');
    shelf.failure = new WhorlError('REGISTRY_IMAGE_UNREACHABLE', 'gone');
    await expect(verify(trust({ rules: [{ mode: 'enforce', signers: [signer] }] }), shelf, image)).rejects.toMatchObject({ code: 'REGISTRY_IMAGE_UNREACHABLE' });
    expect(await verify(trust({ rules: [] }), shelf, image)).toMatchObject({ state: 'unchecked', reason: expect.stringContaining('gone') });
    expect(await verify(trust({ rules: [{ mode: 'warn', signers: [signer] }] }), shelf, image)).toMatchObject({ state: 'untrusted', reason: expect.stringContaining('gone') });
  });

  it.each([
    ['a key that is none', { mode: 'warn', signers: [{ name: 'a', key: 'x' }] }],
    ['a private key', { mode: 'warn', signers: [{ name: 'a', key: privateKey.export({ type: 'pkcs8', format: 'pem' }) }] }],
    ['a short RSA key', { mode: 'warn', signers: [{ name: 'a', key: pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey) }] }],
    ['nobody', { mode: 'enforce', signers: [] }],
    ['a mode that there is not', { mode: 'maybe' }],
  ])('does not take %s', (_what, bad) => expect(TrustPolicy.safeParse({ rules: [bad] }).success).toBe(false));
});

describe('what is attached to an image', () => {
  it('is listed with its kind, however it is stored', async () => {
    const shelf = new ImageShelf();
    const image = shelf.image('a');
    const spdx = shelf.attach(image, 'application/spdx+json', Buffer.from('{}'));
    const cyclone = shelf.attachBundle(image, makeBundle({ publicKey: { hint: '' } }, { dsseEnvelope: makeEnvelope(image, 'https://cyclonedx.org/bom', keys.Ed25519().privateKey).dsseEnvelope }));
    const slsa = shelf.attestByTag(image, SLSA, Buffer.from('{"payload":""}'));
    const readme = shelf.attach(image, 'text/markdown', Buffer.from('# hi'));
    const { state, attachments } = await verify(trust({ rules: [] }), shelf, image);
    expect(state).toBe('unchecked');
    expect(attachments).toMatchObject([
      { kind: 'sbom', stored: 'referrer', digest: spdx, artifactType: 'application/spdx+json', bytes: expect.any(Number), url: `https://registry.test/v2/acme/shop/manifests/${spdx}` },
      { kind: 'sbom', stored: 'referrer', digest: cyclone, predicateType: 'https://cyclonedx.org/bom', verified: false },
      { kind: 'other', digest: readme },
      { kind: 'provenance', stored: 'tag', digest: slsa, predicateType: SLSA, url: `https://registry.test/v2/acme/shop/blobs/${slsa}` },
    ]);
    expect(attachments.map((each) => 'verified' in each)).toEqual([false, true, false, false]);
  });
});
