/** How a component is called: Spin's kinds of HTTP handler, and a program that answers as a CGI script does. */
export type ComponentHandler = 'wasi-http-0.2' | 'wasi-http-0.3' | 'spin-http' | 'command';

/** The candidates differ from the releases in what they import; how they are called is the same. */
const HTTP_HANDLERS: [pattern: RegExp, handler: ComponentHandler][] = [
  [/^wasi:http\/incoming-handler@0\.2\.(\d+|0-rc-2023-(10-18|11-10))$/, 'wasi-http-0.2'],
  [/^wasi:http\/handler@0\.3\.(\d+|0-rc-2026-03-15)$/, 'wasi-http-0.3'],
  [/^fermyon:spin\/inbound-http$/, 'spin-http'],
];

const HANDLERS: [pattern: RegExp, handler: ComponentHandler][] = [
  ...HTTP_HANDLERS,
  [/^wasi:cli\/run@0\.(2\.(\d+|0-rc-2023-(10-18|11-10))|3\.(\d+|0-rc-2026-03-15))$/, 'command'],
];

/** The handlers among a component's exports, each once. */
export function handlersOf(exports: readonly string[]): ComponentHandler[] {
  return HANDLERS.filter(([pattern]) => exports.some((name) => pattern.test(name))).map(([, handler]) => handler);
}

/** The exports that answer HTTP: a trigger needs exactly one, and two releases of one kind are two. */
export function httpHandlerExports(exports: readonly string[]): string[] {
  return exports.filter((name) => HTTP_HANDLERS.some(([pattern]) => pattern.test(name)));
}
