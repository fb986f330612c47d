/** `span-context` of wasi:otel/tracing. */
export interface SpanContext {
  /** 32 and 16 hexadecimal digits; all 0: there is none. */
  traceId: string;
  spanId: string;
  traceFlags: { sampled: boolean };
  isRemote: boolean;
  traceState: [string, string][];
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
const MAX_STATE_MEMBERS = 32;

const NO_CONTEXT: SpanContext = { traceId: '0'.repeat(32), spanId: '0'.repeat(16), traceFlags: { sampled: false }, isRemote: false, traceState: [] };

/** What a request says of the trace that it belongs to (W3C Trace Context, sections 3.2 and 3.3); what is malformed says nothing. */
export function readTraceContext(traceparent: string | undefined, tracestate: string | undefined): SpanContext {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent?.trim() ?? '') ?? [];
  if (traceId === undefined) return NO_CONTEXT;
  return { traceId, spanId: spanId!, traceFlags: { sampled: (Number.parseInt(flags!, 16) & 1) === 1 }, isRemote: true, traceState: readState(tracestate ?? '') };
}

function readState(text: string): [string, string][] {
  const members = text.split(',').map((member) => member.trim()).filter((member) => member !== '');
  if (members.length > MAX_STATE_MEMBERS) return [];
  const pairs = members.map((member): [string, string] => {
    const at = member.indexOf('=');
    return [member.slice(0, at), member.slice(at + 1)];
  });
  return pairs.every(([key, value]) => /^[a-z0-9][a-z0-9_\-*/@]{0,255}$/.test(key) && /^[\x20-\x7e]{1,256}$/.test(value)) ? pairs : [];
}
