import { waiting, type Capability } from '../capability.js';
import { sendRequest, type SpinRequest } from './send-request.js';

/** `fermyon:spin/http`, the first of Spin's ways out: one call, with bodies as a whole. */
export const SPIN_HTTP: readonly Capability[] = [
  { name: 'fermyon:spin/http-types', version: null, functions: {} },
  { name: 'fermyon:spin/http', version: null, functions: { 'send-request': waiting((state) => (request: SpinRequest) => sendRequest(state, request)) } },
];
