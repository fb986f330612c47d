import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { NO_RUNTIME_GRANT, type LlmCompute } from '#contract/runtime-grant.js';
import { Err } from '#engine/run/host.js';
import type { Invocation } from '#runtime/capability/guest.js';
import { HostMemory } from '#runtime/capability/host-memory.js';
import { closeOperatorConnections } from '#runtime/capability/operator-http.js';
import { Forwarder } from '../fixtures/forwarder.js';
import { startLlmServer, type LlmServer } from '../fixtures/servers/llm.js';
import { TestGuest } from './guest-state.js';

const VERSIONS = ['fermyon:spin/llm', 'fermyon:spin/llm@2.0.0'] as const;
const MODELS = ['echo', 'silent', 'huge', 'odd', 'refused'];
let server: LlmServer;
const guests: TestGuest[] = [];

beforeAll(async () => { server = await startLlmServer(); });
afterEach(() => guests.splice(0).forEach((guest) => guest.dispose()));
afterAll(async () => {
  await closeOperatorConnections();
  await server.stop();
});

function guestWith(apiType: LlmCompute['apiType'] | null, compute: Partial<LlmCompute> = {}, invocation: Partial<Invocation> = {}): TestGuest {
  const llmCompute: LlmCompute = { type: 'remote_http', url: server.url, authToken: server.token, apiType: apiType ?? 'default', ...compute };
  const guest = new TestGuest({ aiModels: MODELS, runtime: { ...NO_RUNTIME_GRANT, ...(apiType && { llmCompute }) } }, invocation);
  guests.push(guest);
  return guest;
}

const PARAMS = { maxTokens: 7, repeatPenalty: Math.fround(1.3), repeatPenaltyLastNTokenCount: 8, temperature: Math.fround(0.2), topK: 9, topP: Math.fround(0.7) };

for (const iface of VERSIONS) {
  describe(iface, () => {
    it.each(['default', 'open_ai'] as const)('infers and embeds through a component, by the API %s', async (apiType) => {
      const guest = await Forwarder.of(iface, guestWith(apiType));
      expect(await guest.call('infer', 'echo', 'abc', undefined)).toEqual({ tag: 'ok', val: { text: 'cba', usage: { promptTokenCount: 3, generatedTokenCount: 5 } } });
      expect(await guest.call('generate-embeddings', 'echo', ['a', 'bcd'])).toEqual({
        tag: 'ok', val: { embeddings: [Float32Array.of(1, 0.5), Float32Array.of(3, 0.5)], usage: { promptTokenCount: 2 } },
      });
      expect(await guest.call('infer', 'odd', 'abc', undefined)).toMatchObject({ tag: 'err', val: { tag: 'runtime-error' } });
    });
  });
}

describe('fermyon:spin/llm', () => {
  const infer = (guest: TestGuest, model: string, params?: typeof PARAMS): Promise<unknown> => Promise.resolve(guest.calls(VERSIONS[1])('infer', model, 'hello', params));
  const failure = (message: unknown) => new Err({ tag: 'runtime-error', val: message });

  it('asks Spin\'s own protocol as Spin does', async () => {
    const guest = guestWith('default', { url: `${server.url}/ignored/` });
    await infer(guest, 'echo', PARAMS);
    expect(server.requests.at(-1)).toMatchObject({
      path: '/infer', headers: { authorization: `bearer ${server.token}` },
      body: { model: 'echo', prompt: 'hello', options: { maxTokens: 7, repeatPenalty: 1.3, repeatPenaltyLastNTokenCount: 8, temperature: 0.2, topK: 9, topP: 0.7 } },
    });
    await infer(guest, 'echo');
    expect(server.requests.at(-1)!.body.options).toEqual({ maxTokens: 100, repeatPenalty: 1.1, repeatPenaltyLastNTokenCount: 64, temperature: 0.8, topK: 40, topP: 0.9 });
    await guest.calls(VERSIONS[1])('generate-embeddings', 'echo', ['x']);
    expect(server.requests.at(-1)).toMatchObject({ path: '/embed', body: { model: 'echo', input: ['x'] } });
  });

  it('asks servers after OpenAI\'s as Spin does', async () => {
    const guest = guestWith('open_ai');
    await infer(guest, 'echo', PARAMS);
    expect(server.requests.at(-1)).toMatchObject({ path: '/v1/chat/completions', headers: { authorization: `bearer ${server.token}` } });
    expect(server.requests.at(-1)!.body).toEqual({ model: 'echo', messages: [{ role: 'user', content: 'hello' }], max_completion_tokens: 7, frequency_penalty: 1.3 });
    await guest.calls(VERSIONS[1])('generate-embeddings', 'echo', ['x']);
    expect(server.requests.at(-1)).toMatchObject({ path: '/v1/embeddings', body: { model: 'echo', input: ['x'] } });
  });

  it('refuses a model that the manifest does not grant, in Spin\'s words', async () => {
    const before = server.requests.length;
    expect(await infer(guestWith('default'), 'llama2-chat')).toEqual(new Err({
      tag: 'invalid-input',
      val: 'The component does not have access to use \'llama2-chat\'. To give the component access, add \'llama2-chat\' to the \'ai_models\' key for the component in your spin.toml manifest',
    }));
    expect(server.requests).toHaveLength(before);
  });

  it('says that nothing is configured', async () => {
    expect(await infer(guestWith(null), 'echo')).toEqual(failure('no model server is configured for this app: set llm_compute in its runtime configuration'));
  });

  it('hands on why a server refuses', async () => {
    expect(await infer(guestWith('open_ai'), 'refused')).toEqual(failure('the model refuses'));
    expect(await infer(guestWith('open_ai', { authToken: 'wrong' }), 'echo')).toEqual(failure('Incorrect API key provided'));
    expect(await infer(guestWith('default', { authToken: 'wrong' }), 'echo')).toEqual(failure('Failed to deserialize response for "POST /infer": missing field `usage` (status 401)'));
    expect(await infer(guestWith('default', { url: 'http://127.0.0.1:1' }), 'echo')).toEqual(failure('POST /infer request error: ECONNREFUSED'));
    expect(await infer(guestWith('open_ai', { url: 'http://127.0.0.1:1' }), 'echo')).toEqual(failure('POST /v1/chat/completions request error: ECONNREFUSED'));
  });

  it('stops a request with its invocation', async () => {
    const guest = guestWith('default');
    const asked = infer(guest, 'silent').then(() => null, (error: Error) => error);
    const { length } = server.requests;
    while (server.requests.length === length) await sleep(5);
    guest.hangUp();
    expect(await asked).toMatchObject({ message: 'the invocation was cancelled while it waited' });
    while (server.aborted === 0) await sleep(5);
  });

  it('bounds an answer by what may be held for the invocation', async () => {
    const guest = guestWith('default');
    guest.memory = new HostMemory(100_000);
    expect(await infer(guest, 'huge')).toEqual(failure('query result exceeds limit of 100000 bytes'));
  });

  it('is an effect: an invocation that asked a model is not run again', async () => {
    let effects = 0;
    await infer(guestWith('default', {}, { effect: () => { effects++; } }), 'echo');
    expect(effects).toBe(1);
  });
});
