import { describe, expect, it } from '@jest/globals';
import { handlersOf, httpHandlerExports } from './handlers.js';

describe(handlersOf.name, () => {
  it('knows the handlers by the interfaces they export, releases and the candidates that Spin links', () => {
    expect(handlersOf(['wasi:http/incoming-handler@0.2.10'])).toEqual(['wasi-http-0.2']);
    expect(handlersOf(['wasi:http/incoming-handler@0.2.0-rc-2023-10-18'])).toEqual(['wasi-http-0.2']);
    expect(handlersOf(['wasi:http/incoming-handler@0.2.0-rc-2023-11-10'])).toEqual(['wasi-http-0.2']);
    expect(handlersOf(['wasi:http/handler@0.3.0'])).toEqual(['wasi-http-0.3']);
    expect(handlersOf(['wasi:http/handler@0.3.0-rc-2026-03-15'])).toEqual(['wasi-http-0.3']);
    expect(handlersOf(['fermyon:spin/inbound-http'])).toEqual(['spin-http']);
    expect(handlersOf(['wasi:http/incoming-handler@0.2.0', 'wasi:http/handler@0.3.0'])).toEqual(['wasi-http-0.2', 'wasi-http-0.3']);
  });

  it.each(['0.2.3', '0.2.0-rc-2023-10-18', '0.2.0-rc-2023-11-10', '0.3.0', '0.3.0-rc-2026-03-15'])('knows a program of wasi:cli@%s', (version) => {
    expect(handlersOf([`wasi:cli/run@${version}`, 'a:b/c'])).toEqual(['command']);
  });

  it('does not take other drafts for the final interface', () => {
    expect(handlersOf(['wasi:http/incoming-handler@0.2.0-rc-2023-12-05', 'wasi:http/handler@0.3.0-rc-2025-09-16', 'wasi:http/types@0.2.0', 'wasi:cli/run@0.2.0-rc-2024-01-01'])).toEqual([]);
  });
});

describe(httpHandlerExports.name, () => {
  it('counts each release and candidate for itself', () => {
    const exports = ['wasi:http/incoming-handler@0.2.0', 'wasi:http/incoming-handler@0.2.0-rc-2023-11-10', 'wasi:cli/run@0.2.0', 'a:b/c'];
    expect(httpHandlerExports(exports)).toEqual(exports.slice(0, 2));
  });
});
