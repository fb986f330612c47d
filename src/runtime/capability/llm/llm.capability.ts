import { Err } from '#engine/run/host.js';
import { waiting, type Capability } from '../capability.js';
import { EFFECT_REFUSED, refusesEffect } from '../effect.js';
import type { GuestState } from '../guest.js';
import { settle } from '../wait.js';
import { generateEmbeddings, infer, LlmError, type EmbeddingsResult, type InferencingParams, type InferencingResult, type LlmCall } from './remote-llm.js';

/** Spin's cap on what a host buffers for one result. */
const MAX_RESULT_BYTES = 128 * 1024 * 1024;

/** Spin's, for a guest that says nothing. */
const DEFAULT_PARAMS: InferencingParams = { maxTokens: 100, repeatPenalty: 1.1, repeatPenaltyLastNTokenCount: 64, temperature: 0.8, topK: 40, topP: 0.9 };

const runtimeError = (message: string): Err => new Err({ tag: 'runtime-error', val: message });

/** Asks the operator's model server, if the component may use the model; what is under way stops with the invocation. */
function ask<T>(state: GuestState, model: string, use: (call: LlmCall) => Promise<T>): Promise<T | Err> | Err {
  const { grant, invocation, memory } = state;
  if (!grant.aiModels.includes(model)) {
    return new Err({
      tag: 'invalid-input',
      val: `The component does not have access to use '${model}'. To give the component access, add '${model}' to the 'ai_models' key for the component in your spin.toml manifest`,
    });
  }
  const compute = grant.runtime.llmCompute;
  if (!compute) return runtimeError('no model server is configured for this app: set llm_compute in its runtime configuration');
  // A model server does work for it, and may count it.
  if (refusesEffect(state)) return runtimeError(EFFECT_REFUSED);
  invocation.effect?.();
  const stop = new AbortController();
  const abort = () => stop.abort();
  invocation.ending.on(abort);
  const work = use({ compute, owner: JSON.stringify([grant.org, grant.app]), signal: stop.signal, maxResultBytes: Math.min(MAX_RESULT_BYTES, memory.freeBytes) });
  return settle(state, work.catch(toErr).finally(() => invocation.ending.off(abort)));
}

function toErr(error: unknown): Err {
  return runtimeError(error instanceof LlmError ? error.message : 'the model server cannot be reached');
}

const FUNCTIONS: Capability['functions'] = {
  infer: waiting((state) => (model: string, prompt: string, params: InferencingParams | undefined) =>
    ask<InferencingResult>(state, model, (call) => infer(call, model, prompt, params ?? DEFAULT_PARAMS))),
  'generate-embeddings': waiting((state) => (model: string, input: string[]) => ask<EmbeddingsResult>(state, model, (call) => generateEmbeddings(call, model, input))),
};

/** Both versions say the same. */
export const LLM: readonly Capability[] = [
  { name: 'fermyon:spin/llm', version: null, functions: FUNCTIONS },
  { name: 'fermyon:spin/llm', version: '2.0.0', functions: FUNCTIONS },
];
