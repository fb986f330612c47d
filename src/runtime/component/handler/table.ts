import type { HandlerKind } from '#contract/artifact.js';
import type { HandlerFactory } from './handler.js';
import { spinHttp } from './spin-http.handler.js';
import { wagi } from './wagi.handler.js';
import { wasiHttp02 } from './wasi-http-02.handler.js';
import { wasiHttp03 } from './wasi-http-03.handler.js';

/** Every way to call a component. A new kind is one file and one line. */
export const HANDLERS: Readonly<Record<HandlerKind, HandlerFactory>> = {
  'wasi-http-0.2': wasiHttp02,
  'wasi-http-0.3': wasiHttp03,
  'spin-http': spinHttp,
  command: wagi,
};
