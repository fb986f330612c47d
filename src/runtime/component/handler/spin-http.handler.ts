import type { Headers } from '#runtime/capability/guest.js';
import { collectBody } from './collect-body.js';
import { NO_IO, type HandlerFactory } from './handler.js';

/** Of `fermyon:spin/http-types`. */
const METHODS: ReadonlySet<string> = new Set(['get', 'post', 'put', 'delete', 'patch', 'head', 'options']);
/** This interface passes bodies as one list: they are in memory twice. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;
const IFACE = 'fermyon:spin/inbound-http';

interface SpinResponse {
  status: number;
  headers: [string, string][] | undefined;
  body: Uint8Array | undefined;
}

/** `fermyon:spin/inbound-http#handle-request`: whole bodies, seven methods (Spin's HTTP trigger). */
export const spinHttp: HandlerFactory = ({ findExport }) => {
  if (findExport(IFACE) === undefined) return undefined;
  return {
    begin: (run) => {
      const { exchange } = run;
      const method = exchange.method.toLowerCase();
      if (!METHODS.has(method)) return run.refuse('COMPONENT_METHOD_UNSUPPORTED', `${IFACE} knows no method ${exchange.method}`);
      collectBody(exchange.body, MAX_BODY_BYTES, (body) => {
        if (body === null) return run.refuse('COMPONENT_BODY_TOO_LARGE', `the body is longer than ${MAX_BODY_BYTES} bytes`);
        if (body instanceof Error) return run.refuse('COMPONENT_TRAP', body.message);
        const request = {
          method,
          uri: exchange.pathWithQuery,
          headers: exchange.headers.map(([name, value]) => [name.toLowerCase(), decode(value)]),
          // Spin leaves them empty too: what they held is in the spin-… headers.
          params: [],
          body,
        };
        run.start(NO_IO, (slot, on) => {
          let response: SpinResponse | undefined;
          slot.start(IFACE, 'handle-request', [request], {
            result: (value) => {
              response = value as SpinResponse;
            },
            exit: () => {
              try {
                if (response) answer(exchange.respond.bind(exchange), response);
                on.done();
              } catch (error) {
                on.fail(error);
              }
            },
            fail: (error) => on.fail(error),
          });
        });
      });
    },
  };
};

function answer(respond: (status: number, headers: Headers) => { write(chunk: Uint8Array): boolean; end(): void }, response: SpinResponse): void {
  const { status, headers = [], body } = response;
  if (status < 200 || status > 599) throw new Error(`the component answered with status ${status}, which is no final status`);
  const fields = headers.map(([name, value]): [string, string] => [name, encode(value)]);
  const kept = fields.filter(([name]) => name.toLowerCase() !== 'content-length');
  if (status !== 204 && status !== 304) kept.push(['content-length', String(body?.length ?? 0)]);
  const sink = respond(status, kept);
  if (body && body.length > 0) sink.write(body);
  sink.end();
}

/** Field values are bytes on the wire and text in this interface. */
const decode = (value: string) => Buffer.from(value, 'latin1').toString('utf8');
const encode = (value: string) => Buffer.from(value, 'utf8').toString('latin1');
