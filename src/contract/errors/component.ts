import type { ErrorEntry } from './entry.js';

export const COMPONENT_ERRORS = {
  COMPONENT_COMPILE_FAILED: { status: 500, title: 'A component does not compile', fault: 'system', hint: 'Push the bundle again; if it stays, report the component.' },
  COMPONENT_IMPORT_MISSING: { status: 500, title: 'A component imports what this node does not have', fault: 'system', hint: 'Run the node with the same release as the control plane.' },
  COMPONENT_HANDLER_MISSING: { status: 500, title: 'A component has no handler for its trigger', fault: 'user', hint: 'Export a handler that the trigger\'s executor calls.' },
  COMPONENT_START_FAILED: { status: 500, title: 'A component fails before its first request', fault: 'user', hint: 'Run the component\'s start code locally; the message says where it stopped.' },
  COMPONENT_VARIABLE_MISSING: { status: 500, title: 'A variable has no value', fault: 'user', hint: 'Set it with PUT /v1/apps/{app}/variables.' },
  COMPONENT_TRAP: { status: 500, title: 'The component stopped with a trap', fault: 'user', hint: 'The line of the log names the trap; look at what the component wrote before it.' },
  COMPONENT_CPU_LIMIT: { status: 500, title: 'The invocation used up its CPU time', fault: 'user', hint: 'Do less for each request, or raise the limit (WHORL_LIMIT_CPU_MS, or the component\'s own).' },
  COMPONENT_WALL_LIMIT: { status: 504, title: 'The invocation took too long', fault: 'user', hint: 'Answer sooner, or raise the limit (WHORL_LIMIT_WALL_MS, or the component\'s own).' },
  COMPONENT_MEMORY_LIMIT: { status: 500, title: 'The component needs more memory than it may have', fault: 'user', hint: 'Use less, or raise the limit (WHORL_LIMIT_MEMORY_BYTES, or the component\'s own).' },
  COMPONENT_RESOURCE_LIMIT: { status: 500, title: 'The component holds too many handles or passes too much at once', fault: 'user', hint: 'Close handles that are done with; pass large values as streams.' },
  COMPONENT_HOST_MEMORY_LIMIT: { status: 500, title: 'The platform holds too much for the component', fault: 'user', hint: 'Send or drop bodies and fields before making more, read responses or drop them, or raise the limit (WHORL_LIMIT_HOST_BYTES, or the component\'s own).' },
  COMPONENT_INSTANCE_LOST: { status: 500, title: 'Another request in the same instance stopped it', fault: 'user', hint: 'The component asks for instances that serve several requests (reuse): the log of that other request, at the same time, has the cause.' },
  COMPONENT_RESET_DIFFERS: { status: 500, title: 'A reset left something of an earlier request behind', fault: 'system', hint: 'The component gets new instances from now on, which is slower; report it with the component (WHORL_VERIFY_RESET_EVERY found it).' },
  COMPONENT_NO_RESPONSE: { status: 500, title: 'The component returned without a response', fault: 'user', hint: 'Set the response before the handler returns.' },
  COMPONENT_BUSY: { status: 503, title: 'The component has as many requests as it may have', fault: 'system', hint: 'Retry after the time in Retry-After; raise the component\'s concurrency or add nodes.' },
  COMPONENT_CHAIN_REFUSED: { status: 500, title: 'A chained call cannot be made', fault: 'user', hint: 'Chain only to components with a trigger, and not in circles.' },
  COMPONENT_BODY_TOO_LARGE: { status: 413, title: 'The request\'s body is too large for this handler', fault: 'user', hint: 'Use a wasi:http handler, which streams bodies.' },
  COMPONENT_REQUEST_TOO_LARGE: { status: 413, title: 'The request is larger than the component takes', fault: 'user', hint: 'Send less, or raise the limit (WHORL_LIMIT_REQUEST_BYTES, or the component\'s own).' },
  COMPONENT_RESPONSE_TOO_LARGE: { status: 500, title: 'The response is larger than the component may send', fault: 'user', hint: 'Answer in parts, or raise the limit (WHORL_LIMIT_RESPONSE_BYTES, or the component\'s own).' },
  COMPONENT_OUTBOUND_LIMIT: { status: 500, title: 'The invocation sends more requests than it may', fault: 'user', hint: 'Send fewer, or fewer at a time, or raise the limit (WHORL_LIMIT_OUTBOUND_REQUESTS, WHORL_LIMIT_OUTBOUND_CONCURRENCY, or the component\'s own).' },
  COMPONENT_CONNECTION_LIMIT: { status: 500, title: 'The component has as many connections as it may have', fault: 'user', hint: 'Ask fewer hosts at a time, or raise the limit (WHORL_LIMIT_OUTBOUND_CONNECTIONS, or the component\'s own).' },
  COMPONENT_LOG_LIMIT: { status: 500, title: 'The invocation wrote more than its log keeps', fault: 'user', hint: 'Write less for each request, or raise the limit (WHORL_LIMIT_LOG_BYTES, or the component\'s own).' },
  COMPONENT_METHOD_UNSUPPORTED: { status: 405, title: 'The handler knows no such method', fault: 'user', hint: 'Use a wasi:http handler, which takes any method.' },
} as const satisfies Record<string, ErrorEntry>;

/** Codes that say that a limit struck: usage counts them one by one. */
export const LIMIT_CODES = [
  'COMPONENT_CPU_LIMIT', 'COMPONENT_WALL_LIMIT', 'COMPONENT_MEMORY_LIMIT', 'COMPONENT_RESOURCE_LIMIT', 'COMPONENT_HOST_MEMORY_LIMIT', 'COMPONENT_BUSY', 'COMPONENT_BODY_TOO_LARGE',
  'COMPONENT_REQUEST_TOO_LARGE', 'COMPONENT_RESPONSE_TOO_LARGE', 'COMPONENT_OUTBOUND_LIMIT', 'COMPONENT_CONNECTION_LIMIT', 'COMPONENT_LOG_LIMIT',
] as const satisfies readonly (keyof typeof COMPONENT_ERRORS)[];
export type LimitCode = (typeof LIMIT_CODES)[number];

const LIMIT_CODE_SET: ReadonlySet<string> = new Set(LIMIT_CODES);
export const isLimitCode = (code: string): code is LimitCode => LIMIT_CODE_SET.has(code);
