import { generateKeyPairSync, X509Certificate, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { KeyHash } from '#contract/node-identity.js';
import { IssuedCertificate, type TrustBundle } from '#contract/node-join.js';
import { keyHash } from '#platform/tls/key-hash.js';
import { toControlPlane } from '#platform/tls/peer.js';
import { writeCertificateRequest } from '#runtime/node/identity/certificate-request.js';
import { ControlPlaneFixture } from './control-plane.fixture.js';
import { until } from './until.js';

interface Reply {
  status: number;
  body: Record<string, unknown>;
}

interface JoinedNode {
  key: KeyObject;
  issued: IssuedCertificate;
}

describe('joining', () => {
  let fixture: ControlPlaneFixture;
  beforeAll(async () => {
    fixture = await ControlPlaneFixture.start({ WHORL_NODES_PORT: '0' });
  });
  afterAll(() => fixture.stop());

  const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const joinToken = async (settings: Record<string, unknown> = {}): Promise<string> => {
    const { status, body } = await fixture.call<{ token: string }>('POST', '/v1/nodes/join-tokens', { body: settings });
    expect(status).toBe(201);
    return body.token;
  };
  const secretOf = (token: string): string => token.split('.')[0]!;
  const ask = (node: string, key: KeyObject, token: string | null): Promise<Reply> =>
    fixture.call('POST', `/v1/nodes/${node}/certificate`, { body: writeCertificateRequest(node, key), token: token === null ? null : secretOf(token) });
  const join = async (node: string, settings: Record<string, unknown> = {}): Promise<JoinedNode> => {
    const key = newKey();
    const { status, body } = await ask(node, key, await joinToken(settings));
    expect([status, body['code']]).toEqual([200, undefined]);
    return { key, issued: IssuedCertificate.parse(body) };
  };
  /** Calls the nodes port as this node, or without a certificate. */
  const callAs = async (node: JoinedNode | undefined, method: string, path: string, authorities?: string[]): Promise<Reply> => {
    const { body } = await fixture.call<{ authorities: { certificate: string }[] }>('GET', '/v1/nodes/ca', { token: null });
    const credentials = {
      authorities: authorities ?? body.authorities.map(({ certificate }) => certificate),
      ...(node && { key: node.key.export({ type: 'pkcs8', format: 'pem' }) as string, certificate: node.issued.certificate }),
    };
    const call = request({ host: '127.0.0.1', port: fixture.nodesPort(), method, path, agent: false, ...toControlPlane(credentials) }).end();
    const [response] = (await once(call, 'response')) as [import('node:http').IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    return { status: response.statusCode!, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> };
  };

  describe('a join token', () => {
    it('lets a key have a name, and carries the name of the CA', async () => {
      const token = await joinToken();
      const key = newKey();
      const { body } = await ask('token-1', key, token);
      const issued = IssuedCertificate.parse(body);
      const certificate = new X509Certificate(issued.certificate);
      expect([certificate.subject, certificate.subjectAltName]).toEqual(['CN=token-1', 'URI:whorl://node/token-1']);
      expect(keyHash(certificate.publicKey)).toBe(keyHash(new X509Certificate(issued.certificate).publicKey));
      const ca = issued.trust.authorities.find(({ id }) => id === token.split('.')[1])!;
      expect(certificate.verify(new X509Certificate(ca.certificate).publicKey)).toBe(true);
      expect(issued.lifeMs).toBeGreaterThan(86_400_000 - 60_000);
    });

    it('is kept as a digest alone, and listed without its secret', async () => {
      const token = await joinToken({ node: 'listed', uses: 2 });
      const rows = await fixture.sql('SELECT row_to_json(join_token)::text AS text FROM join_token');
      for (const { text } of rows) expect(text).not.toContain(secretOf(token).slice(6));
      const { body } = await fixture.call<{ items: { node: string; maxUses: number }[] }>('GET', '/v1/nodes/join-tokens?limit=200');
      expect(body.items).toContainEqual(expect.objectContaining({ node: 'listed', maxUses: 2, uses: 0, state: 'valid', createdBy: 'admin' }));
      expect(JSON.stringify(body)).not.toContain(secretOf(token));
    });

    it('is refused when it has expired', async () => {
      const token = await joinToken({ ttlSeconds: 1 });
      await sleep(1_100);
      expect(await ask('late', newKey(), token)).toMatchObject({ status: 401, body: { code: 'API_JOIN_TOKEN_EXPIRED' } });
    });

    it('is refused when it is used up, to the node that comes next', async () => {
      const token = await joinToken({ uses: 1 });
      const key = newKey();
      expect(await ask('once-1', key, token)).toMatchObject({ status: 200 });
      expect(await ask('once-2', newKey(), token)).toMatchObject({ status: 401, body: { code: 'API_JOIN_TOKEN_USED_UP' } });
      // The same key needs none.
      expect(await ask('once-1', key, token)).toMatchObject({ status: 200 });
    });

    it('lets no more nodes in than it is for when all come at once', async () => {
      const token = await joinToken({ uses: 3 });
      const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => ask(`rush-${i}`, newKey(), token)));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(3);
    });

    it('is refused when it was withdrawn', async () => {
      const { body } = await fixture.call<{ id: string; token: string }>('POST', '/v1/nodes/join-tokens', { body: {} });
      expect(await fixture.call('DELETE', `/v1/nodes/join-tokens/${body.id}`)).toMatchObject({ status: 204 });
      expect(await ask('withdrawn', newKey(), body.token)).toMatchObject({ status: 401, body: { code: 'API_JOIN_TOKEN_WITHDRAWN' } });
      expect(await fixture.call('DELETE', `/v1/nodes/join-tokens/${body.id}`)).toMatchObject({ status: 404, body: { code: 'API_JOIN_TOKEN_NOT_FOUND' } });
    });

    it('is refused when nobody has made it, or there is none', async () => {
      expect(await ask('stranger', newKey(), `${'x'.repeat(40)}.${'A'.repeat(43)}`)).toMatchObject({ status: 401, body: { code: 'API_JOIN_TOKEN_UNKNOWN' } });
      expect(await ask('stranger', newKey(), null)).toMatchObject({ status: 401, body: { code: 'API_JOIN_TOKEN_MISSING' } });
    });

    it('is refused for another name than the one it is for', async () => {
      expect(await ask('that', newKey(), await joinToken({ node: 'this' }))).toMatchObject({ status: 403, body: { code: 'API_JOIN_TOKEN_NODE' } });
    });

    it.each([[{ ttlSeconds: 8 * 86_400 }], [{ ttlSeconds: 0 }], [{ uses: 0 }], [{ node: 'Bad_Name' }], [{ more: 1 }]])('is not made of %p', async (body) => {
      expect(await fixture.call('POST', '/v1/nodes/join-tokens', { body })).toMatchObject({ status: 400, body: { code: 'API_INPUT_INVALID' } });
    });
  });

  describe('a name', () => {
    it('that another key has is refused, unless the token says it may replace it: then the old key counts for nothing', async () => {
      const first = await join('owned');
      expect(await ask('owned', newKey(), await joinToken())).toMatchObject({ status: 409, body: { code: 'API_NODE_NAME_TAKEN' } });
      const second = await join('owned', { replace: true });
      expect(await callAs(second, 'GET', '/v1/nodes/owned/trust')).toMatchObject({ status: 200 });
      expect(await callAs(first, 'GET', '/v1/nodes/owned/trust')).toMatchObject({ status: 403, body: { code: 'API_NODE_KEY_WITHDRAWN' } });
    });

    it('of a node that was joined by a token of the API is the next one\'s with such a token, not that of one that joined by itself', async () => {
      const [one, two] = [newKey(), newKey()];
      expect(await ask('shared', one, fixture.nodeToken)).toMatchObject({ status: 200 });
      expect(await ask('shared', two, fixture.nodeToken)).toMatchObject({ status: 200 });
      expect(await ask('shared', one, null)).toMatchObject({ status: 403, body: { code: 'API_NODE_KEY_WITHDRAWN' } });
      await join('own');
      expect(await ask('own', newKey(), fixture.nodeToken)).toMatchObject({ status: 409, body: { code: 'API_NODE_NAME_TAKEN' } });
    });

    it('is the only one of its key', async () => {
      const { key } = await join('single');
      expect(await ask('double', key, await joinToken())).toMatchObject({ status: 409, body: { code: 'API_NODE_KEY_IN_USE' } });
    });

    it.each(['ca', 'join-tokens'])('is never %s', async (name) => {
      expect(await ask(name, newKey(), await joinToken())).toMatchObject({ status: 400, body: { code: 'API_INPUT_INVALID' } });
    });
  });

  it('refuses a request that does not show the key, or shows another kind of key', async () => {
    const token = secretOf(await joinToken());
    const { publicKey } = writeCertificateRequest('forged', newKey());
    const { signature } = writeCertificateRequest('forged', newKey());
    expect(await fixture.call('POST', '/v1/nodes/forged/certificate', { body: { publicKey, signature }, token })).toMatchObject({ status: 400, body: { errors: { signature: expect.anything() } } });
    const other = writeCertificateRequest('elsewhere', newKey());
    expect(await fixture.call('POST', '/v1/nodes/forged/certificate', { body: other, token })).toMatchObject({ status: 400, body: { errors: { signature: expect.anything() } } });
    const p384 = writeCertificateRequest('forged', generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey);
    expect(await fixture.call('POST', '/v1/nodes/forged/certificate', { body: p384, token })).toMatchObject({ status: 400, body: { errors: { publicKey: expect.anything() } } });
  });

  describe('the nodes port', () => {
    it('lets a node do what nodes do, for itself alone', async () => {
      const node = await join('alone');
      expect(await callAs(node, 'GET', '/v1/nodes/alone/assignments')).toMatchObject({ status: 200 });
      expect(await callAs(node, 'GET', '/v1/nodes/other/assignments')).toMatchObject({ status: 403, body: { code: 'API_NODE_NOT_ITSELF' } });
    });

    it('has no other routes than those of nodes', async () => {
      const node = await join('curious');
      for (const path of ['/v1/apps', '/v1/tokens', '/v1/nodes/curious/identity', '/docs', '/v2/']) expect(await callAs(node, 'GET', path)).toMatchObject({ status: 404, body: { code: 'API_ROUTE_NOT_FOUND' } });
    });

    it('asks for a certificate', async () => {
      expect(await callAs(undefined, 'GET', '/v1/nodes/alone/assignments')).toMatchObject({ status: 401, body: { code: 'API_CERTIFICATE_MISSING' } });
    });

    it('is not that of a control plane to who believes another CA', async () => {
      const other = await join('elsewhere');
      await expect(callAs(other, 'GET', '/v1/nodes/elsewhere/trust', [other.issued.certificate])).rejects.toThrow();
    });

    it('refuses a certificate that another CA has signed for the same key', async () => {
      const node = await join('twice');
      const { writeEndCertificate } = await import('#api/identity/x509/certificate.js');
      const ca = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const { createPublicKey } = await import('node:crypto');
      const forged = writeEndCertificate(
        { name: 'twice', uri: 'whorl://node/twice', publicKey: createPublicKey(node.key), purposes: ['client'] }, { name: 'whorl CA', ...ca },
        { from: new Date(Date.now() - 1_000), until: new Date(Date.now() + 60_000) });
      expect(await callAs({ ...node, issued: { ...node.issued, certificate: forged } }, 'GET', '/v1/nodes/twice/trust')).toMatchObject({ status: 401, body: { code: 'API_CERTIFICATE_REFUSED' } });
    });
  });

  describe('a node that was removed', () => {
    it('is refused at once, other nodes hear of it, and it comes back with a new key and a newer token alone', async () => {
      const old = await joinToken();
      const node = await join('removed');
      const watcher = await join('watcher');
      const { body: before } = (await callAs(watcher, 'GET', '/v1/nodes/watcher/trust')) as unknown as { body: TrustBundle };
      const news = callAs(watcher, 'GET', `/v1/nodes/watcher/trust?wait=30&after=${before.revision}`);
      expect(await fixture.call('DELETE', '/v1/nodes/removed/identity')).toMatchObject({ status: 204 });
      expect(await callAs(node, 'GET', '/v1/nodes/removed/assignments')).toMatchObject({ status: 403, body: { code: 'API_NODE_KEY_WITHDRAWN' } });
      expect((await news).body['denied']).toContainEqual({ node: 'removed', key: (await fixture.call('GET', '/v1/nodes/removed/identity')).body['key'] as KeyHash });
      expect(await ask('removed', node.key, await joinToken())).toMatchObject({ status: 403, body: { code: 'API_NODE_KEY_WITHDRAWN' } });
      expect(await ask('removed', newKey(), old)).toMatchObject({ status: 403, body: { code: 'API_NODE_KEY_WITHDRAWN' } });
      expect(await callAs(await join('removed'), 'GET', '/v1/nodes/removed/assignments')).toMatchObject({ status: 200 });
    });

    it('is refused when the node itself is removed, and let in again when that is taken back', async () => {
      const node = await join('resource');
      const report = { node: 'resource', incarnation: 'a', runners: 1, statuses: [] };
      expect(await fixture.call('PUT', '/v1/nodes/resource/report', { body: report, token: fixture.nodeToken })).toMatchObject({ status: 200 });
      expect(await fixture.call('DELETE', '/v1/nodes/resource?force=true')).toMatchObject({ status: 200 });
      expect(await callAs(node, 'GET', '/v1/nodes/resource/trust')).toMatchObject({ status: 403 });
      expect(await fixture.call('POST', '/v1/nodes/resource/uncordon')).toMatchObject({ status: 200 });
      expect(await callAs(node, 'GET', '/v1/nodes/resource/trust')).toMatchObject({ status: 200 });
    });
  });

  describe('a rotation', () => {
    it('announces new keys, waits for live nodes, then signs with them; certificates of both CAs are believed meanwhile', async () => {
      const node = await join('steady');
      const signs = node.issued.trust.signs;
      const { body } = (await callAs(node, 'GET', '/v1/nodes/steady/trust')) as unknown as { body: TrustBundle };
      await callAs(node, 'GET', `/v1/nodes/steady/trust?after=${body.revision}`);
      expect(await fixture.call('POST', '/v1/nodes/ca/rotate', { body: {} })).toMatchObject({ status: 202 });
      expect(await fixture.call('POST', '/v1/nodes/ca/rotate', { body: {} })).toMatchObject({ status: 409, body: { code: 'API_ROTATION_RUNNING' } });
      // It has not taken the new bundle: it is waited for.
      await sleep(6_000);
      const waiting = await fixture.call<{ waitingFor: string[] }>('GET', '/v1/nodes/ca/rotation');
      expect(waiting.body.waitingFor).toContain('steady');
      expect((await callAs(node, 'GET', '/v1/nodes/steady/trust')).body['signs']).toBe(signs);
      let bundle = body;
      await until(async () => {
        for (const name of (await fixture.call<{ waitingFor: string[] }>('GET', '/v1/nodes/ca/rotation')).body.waitingFor) {
          const { body: newest } = (await fixture.call<TrustBundle>('GET', `/v1/nodes/${name}/trust`, { token: fixture.nodeToken }));
          await fixture.call('GET', `/v1/nodes/${name}/trust?after=${newest.revision}`, { token: fixture.nodeToken });
        }
        bundle = (await callAs(node, 'GET', '/v1/nodes/steady/trust')).body as unknown as TrustBundle;
        return bundle.signs !== signs;
      }, 30_000);
      expect([bundle.authorities.length, bundle.keys.length]).toEqual([2, 2]);
      // Its own certificate is of the old CA; one that knows the old CA alone gets in too.
      const old = bundle.authorities.find(({ id }) => id === signs)!.certificate;
      expect(await callAs(node, 'GET', '/v1/nodes/steady/assignments', [old])).toMatchObject({ status: 200 });
      const renewed = await ask('steady', node.key, null);
      expect(IssuedCertificate.parse(renewed.body).authority).toBe(bundle.signs);
      expect(await callAs({ ...node, issued: IssuedCertificate.parse(renewed.body) }, 'GET', '/v1/nodes/steady/assignments', [old])).toMatchObject({ status: 200 });
    });

    it('keeps no private key of one that does not sign any more', async () => {
      const rows = await fixture.sql("SELECT state, sealed_key IS NULL AS forgotten FROM authority WHERE kind = 'tls' ORDER BY created_at");
      expect(rows).toEqual([{ state: 'retiring', forgotten: true }, { state: 'signing', forgotten: false }]);
    });
  });
});
