import { incomingRequest02, responseOutparam02 } from '#runtime/capability/http/server-02.js';
import { NO_IO, untilExit, type HandlerFactory } from './handler.js';

/** `wasi:http/incoming-handler@0.2.x` and its candidates. The guest runs on after it has set the response, until it returns. */
export const wasiHttp02: HandlerFactory = ({ findExport }) => {
  const iface = findExport('wasi:http/incoming-handler@0.2');
  if (iface === undefined) return undefined;
  return {
    begin: (run) => run.start(NO_IO, (slot, on) => {
      slot.start(iface, 'handle', [incomingRequest02(run.exchange), responseOutparam02(run.exchange)], untilExit(on));
    }),
  };
};
