import type { LlmCompute } from '#contract/runtime-grant.js';
import { postJson, ResponseTooLarge } from '../operator-http.js';

export interface InferencingParams {
  maxTokens: number;
  repeatPenalty: number;
  repeatPenaltyLastNTokenCount: number;
  temperature: number;
  topK: number;
  topP: number;
}

export interface InferencingResult {
  text: string;
  usage: { promptTokenCount: number; generatedTokenCount: number };
}

export interface EmbeddingsResult {
  embeddings: Float32Array[];
  usage: { promptTokenCount: number };
}

/** What a guest reads as `runtime-error`, in Spin's words where it has some. */
export class LlmError extends Error {
  override name = 'LlmError';
}

/** One call to a model server. */
export interface LlmCall {
  compute: LlmCompute;
  /** Whose connections are used. */
  owner: string;
  signal: AbortSignal;
  maxResultBytes: number;
}

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** How a kind of server is asked, and what its answer says. `read…` throw a TypeError for an answer of another shape. */
interface Api {
  inferPath: string;
  embedPath: string;
  inferBody(model: string, prompt: string, params: InferencingParams): Json;
  readInferred(answer: Json): InferencingResult;
  readEmbeddings(answer: Json): EmbeddingsResult;
  /** Why the server refused; null: it did not. */
  readError(answer: Json): string | null;
}

/** Spin's own (its crate llm-remote-http). */
const DEFAULT_API: Api = {
  inferPath: '/infer',
  embedPath: '/embed',
  inferBody: (model, prompt, { maxTokens, repeatPenalty, repeatPenaltyLastNTokenCount, temperature, topK, topP }) => ({
    model, prompt,
    options: { maxTokens, repeatPenalty: toFloat(repeatPenalty), repeatPenaltyLastNTokenCount, temperature: toFloat(temperature), topK, topP: toFloat(topP) },
  }),
  readInferred: (answer) => {
    const usage = field(answer, 'usage');
    return { text: text(field(answer, 'text')), usage: { promptTokenCount: count(field(usage, 'promptTokenCount')), generatedTokenCount: count(field(usage, 'generatedTokenCount')) } };
  },
  readEmbeddings: (answer) => ({
    embeddings: list(field(answer, 'embeddings')).map(floats), usage: { promptTokenCount: count(field(field(answer, 'usage'), 'promptTokenCount')) },
  }),
  readError: () => null,
};

/** What servers after OpenAI's have in common: of the parameters Spin sends two. */
const OPEN_AI: Api = {
  inferPath: '/v1/chat/completions',
  embedPath: '/v1/embeddings',
  inferBody: (model, prompt, { maxTokens, repeatPenalty }) => ({
    messages: [{ role: 'user', content: prompt }], model, max_completion_tokens: maxTokens, frequency_penalty: toFloat(repeatPenalty),
  }),
  readInferred: (answer) => {
    const usage = field(answer, 'usage');
    const [choice] = list(field(answer, 'choices'));
    return {
      text: choice === undefined ? '' : text(field(field(choice, 'message'), 'content')),
      usage: { promptTokenCount: count(field(usage, 'prompt_tokens')), generatedTokenCount: count(field(usage, 'completion_tokens')) },
    };
  },
  readEmbeddings: (answer) => ({
    embeddings: list(field(answer, 'data')).map((each) => floats(field(each, 'embedding'))), usage: { promptTokenCount: count(field(field(answer, 'usage'), 'prompt_tokens')) },
  }),
  readError: (answer) => (has(answer, 'error') && has(answer.error!, 'message') && typeof answer.error.message === 'string' ? answer.error.message : null),
};

const APIS: Readonly<Record<LlmCompute['apiType'], Api>> = { default: DEFAULT_API, open_ai: OPEN_AI };

/** Lets a model go on from a prompt. Fails with a LlmError. */
export function infer(call: LlmCall, model: string, prompt: string, params: InferencingParams): Promise<InferencingResult> {
  const api = APIS[call.compute.apiType];
  return ask(call, api, api.inferPath, api.inferBody(model, prompt, params), api.readInferred);
}

/** Turns texts into vectors. Fails with a LlmError. */
export function generateEmbeddings(call: LlmCall, model: string, input: string[]): Promise<EmbeddingsResult> {
  const api = APIS[call.compute.apiType];
  return ask(call, api, api.embedPath, { model, input }, api.readEmbeddings);
}

async function ask<T>({ compute, owner, signal, maxResultBytes }: LlmCall, api: Api, path: string, body: Json, read: (answer: Json) => T): Promise<T> {
  let response;
  try {
    // As Spin does: the path takes the place of what the URL has.
    const url = new URL(path, compute.url);
    response = await postJson({ owner, url, headers: { authorization: `bearer ${compute.authToken}` }, body: JSON.stringify(body), signal, maxResponseBytes: maxResultBytes });
  } catch (error) {
    if (error instanceof ResponseTooLarge) throw new LlmError(`query result exceeds limit of ${maxResultBytes} bytes`);
    // Undici's words may name addresses of the operator's network.
    throw new LlmError(`POST ${path} request error: ${(error as NodeJS.ErrnoException).code ?? 'the request could not be sent'}`, { cause: error });
  }
  let refusal: string | null;
  try {
    const answer = JSON.parse(response.text) as Json;
    refusal = api.readError(answer);
    if (refusal === null) return read(answer);
  } catch (error) {
    const why = error instanceof TypeError ? error.message : 'it is no JSON';
    throw new LlmError(`Failed to deserialize response for "POST ${path}": ${why} (status ${response.status})`);
  }
  throw new LlmError(refusal);
}

/** A 32-bit float in as few digits as tell it from its neighbours: 1.1, not 1.100000023841858. */
function toFloat(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return short;
  }
  return value;
}

function has<K extends string>(value: Json, name: K): value is { [name in K]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, name);
}

function field(value: Json, name: string): Json {
  if (!has(value, name)) throw new TypeError(`missing field \`${name}\``);
  return value[name]!;
}

function text(value: Json): string {
  if (typeof value !== 'string') throw new TypeError('expected a string');
  return value;
}

function count(value: Json): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 0xffffffff) throw new TypeError('expected a count');
  return value;
}

function list(value: Json): Json[] {
  if (!Array.isArray(value)) throw new TypeError('expected a list');
  return value;
}

function floats(value: Json): Float32Array {
  return Float32Array.from(list(value), (each) => {
    if (typeof each !== 'number') throw new TypeError('expected a number');
    return each;
  });
}
