import { perSlot, plain, type Capability } from '../capability.js';
import type { GuestGrant, GuestState } from '../guest.js';
import { exporterTo, type Signal } from './otlp-exporter.js';
import { toResourceLogs, toResourceMetrics, toResourceSpans, type Attributes, type LogData, type ResourceMetrics, type SpanData } from './otlp.js';
import { readTraceContext } from './trace-context.js';

const VERSION = '0.2.0-rc.2';
const platforms = new WeakMap<GuestGrant, Attributes>();

/** What the platform knows of whoever speaks; a guest cannot say that it is another one. */
function platformOf(grant: GuestGrant): Attributes {
  let attributes = platforms.get(grant);
  if (!attributes) {
    const { org, app, component, version } = grant;
    const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
    attributes = [text('service.name', app), text('service.version', String(version)), text('whorl.org', org), text('whorl.component', component)];
    platforms.set(grant, attributes);
  }
  return attributes;
}

/** Without a collector nothing is made of it (docs/adr/0018). */
function exportTo<T>(state: GuestState, signal: Signal, convert: (platform: Attributes, data: T) => object | null, data: T): void {
  const { otelEndpoint } = state.grant.settings;
  // What a copy measures is nothing that happened, and it has no way to hear that it is refused.
  if (otelEndpoint === null || state.grant.refusesEffects) return;
  const exporter = exporterTo(otelEndpoint);
  const losses = exporter.takeLosses();
  if (losses !== null) state.invocation.note(losses);
  const item = convert(platformOf(state.grant), data);
  if (item) exporter.add(signal, item);
}

/** `wasi:otel`: spans, metrics and logs of guests, to the operator's collector. */
export const OTEL: readonly Capability[] = [
  { name: 'wasi:otel/types', version: VERSION, functions: {} },
  {
    name: 'wasi:otel/tracing',
    version: VERSION,
    functions: {
      // a span is told of when it is whole
      'on-start': plain(() => undefined),
      'on-end': perSlot((state) => (span: SpanData) => exportTo(state, 'traces', toResourceSpans, span)),
      'outer-span-context': perSlot((state) => () => {
        const header = (name: string) => state.invocation.requestHeader?.(name);
        return readTraceContext(header('traceparent'), header('tracestate'));
      }),
    },
  },
  { name: 'wasi:otel/metrics', version: VERSION, functions: { export: perSlot((state) => (metrics: ResourceMetrics) => exportTo(state, 'metrics', toResourceMetrics, metrics)) } },
  { name: 'wasi:otel/logs', version: VERSION, functions: { 'on-emit': perSlot((state) => (log: LogData) => exportTo(state, 'logs', toResourceLogs, log)) } },
];
