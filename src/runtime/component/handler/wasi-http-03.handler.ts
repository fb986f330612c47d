import { incomingRequest03, sendResponse03 } from '#runtime/capability/http/server-03.js';
import { NO_IO, type HandlerFactory } from './handler.js';

type Returned = Parameters<typeof sendResponse03>[2];

/** `wasi:http/handler@0.3.x` and its candidate. The run is over when the guest's tasks have ended and the answer has left. */
export const wasiHttp03: HandlerFactory = ({ findExport }) => {
  const iface = findExport('wasi:http/handler@0.3');
  if (iface === undefined) return undefined;
  return {
    begin: (run) => run.start(NO_IO, (slot, on) => {
      let open = 2;
      let guestEnded: (() => void) | null = null;
      const settle = () => {
        if (--open === 0) on.done();
      };
      slot.start(iface, 'handle', [incomingRequest03(run.exchange)], {
        result: (value) => {
          guestEnded = sendResponse03(slot.state, run.exchange, value as Returned, settle);
        },
        exit: () => {
          if (!guestEnded) settle();
          // Of a composed component, another part may still write the body.
          else if (!on.guestRuns) guestEnded();
          settle();
        },
        fail: (error) => on.fail(error),
      });
    }),
  };
};
