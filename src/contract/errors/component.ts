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
  COMPONENT_NO_RESPONSE: { status: 500, title: 'The component returned without a response', fault: 'user', hint: 'Set the response before the handler returns.' },
  COMPONENT_BUSY: { status: 503, title: 'The component has as many requests as it may have', fault: 'system', hint: 'Retry after the time in Retry-After; raise the component\'s concurrency or add nodes.' },
  COMPONENT_CHAIN_REFUSED: { status: 500, title: 'A chained call cannot be made', fault: 'user', hint: 'Chain only to components with a trigger, and not in circles.' },
  COMPONENT_BODY_TOO_LARGE: { status: 413, title: 'The request\'s body is too large for this handler', fault: 'user', hint: 'Use a wasi:http handler, which streams bodies.' },
  COMPONENT_METHOD_UNSUPPORTED: { status: 405, title: 'The handler knows no such method', fault: 'user', hint: 'Use a wasi:http handler, which takes any method.' },
} as const satisfies Record<string, ErrorEntry>;
