import { toAnyValue, toAttributes, type AnyValue, type KeyValue } from './any-value.js';
import type { SpanContext } from './trace-context.js';

/** From the records of wasi:otel to OTLP in JSON (opentelemetry-proto, "JSON Protobuf Encoding"). Pure. */

interface Datetime {
  seconds: bigint;
  nanoseconds: number;
}
export interface Resource {
  attributes: KeyValue[];
  schemaUrl: string | undefined;
}
export interface Scope {
  name: string;
  version: string | undefined;
  schemaUrl: string | undefined;
  attributes: KeyValue[];
}
export interface SpanData {
  spanContext: SpanContext;
  parentSpanId: string;
  spanKind: 'client' | 'server' | 'producer' | 'consumer' | 'internal';
  name: string;
  startTime: Datetime;
  endTime: Datetime;
  attributes: KeyValue[];
  events: { name: string; time: Datetime; attributes: KeyValue[] }[];
  links: { spanContext: SpanContext; attributes: KeyValue[] }[];
  status: { tag: 'unset' | 'ok' } | { tag: 'error'; val: string };
  instrumentationScope: Scope;
  droppedAttributes: number;
  droppedEvents: number;
  droppedLinks: number;
}
export interface LogData {
  timestamp: Datetime | undefined;
  observedTimestamp: Datetime | undefined;
  severityText: string | undefined;
  severityNumber: number | undefined;
  body: string | undefined;
  attributes: KeyValue[] | undefined;
  eventName: string | undefined;
  resource: Resource | undefined;
  instrumentationScope: Scope | undefined;
  traceId: string | undefined;
  spanId: string | undefined;
  traceFlags: { sampled: boolean } | undefined;
}
interface MetricNumber {
  tag: 'f64' | 's64' | 'u64';
  val: number | bigint;
}
interface Exemplar {
  filteredAttributes: KeyValue[];
  time: Datetime;
  value: MetricNumber;
  spanId: string;
  traceId: string;
}
interface Bucket {
  offset: number;
  counts: BigUint64Array;
}
interface DataPoint {
  attributes: KeyValue[];
  exemplars: Exemplar[];
  value?: MetricNumber;
  count?: bigint;
  sum?: MetricNumber;
  min?: MetricNumber;
  max?: MetricNumber;
  bounds?: Float64Array;
  bucketCounts?: BigUint64Array;
  scale?: number;
  zeroCount?: bigint;
  zeroThreshold?: number;
  positiveBucket?: Bucket;
  negativeBucket?: Bucket;
}
interface MetricData {
  dataPoints: DataPoint[];
  startTime: Datetime | undefined;
  time: Datetime;
  temporality?: 'cumulative' | 'delta' | 'low-memory';
  isMonotonic?: boolean;
}
export interface ResourceMetrics {
  resource: Resource;
  scopeMetrics: { scope: Scope; metrics: { name: string; description: string; unit: string; data: { tag: string; val: MetricData } }[] }[];
}

const SPAN_KINDS = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const;
const STATUS_CODES = { unset: 0, ok: 1, error: 2 } as const;
const TEMPORALITIES = { 'delta': 1, 'cumulative': 2, 'low-memory': 2 } as const;

const isId = (text: string, digits: number): boolean => text.length === digits && /^[0-9a-f]*[1-9a-f][0-9a-f]*$/.test(text);
const toNanos = ({ seconds, nanoseconds }: Datetime): string => String(seconds * 1_000_000_000n + BigInt(nanoseconds));
const toScope = ({ name, version, attributes }: Scope) => ({ name, version, attributes: toAttributes(attributes) });
const flagsOf = (flags: { sampled: boolean } | undefined): number => (flags?.sampled ? 1 : 0);
const stateOf = (pairs: readonly (readonly [string, string])[]): string => pairs.map(([key, value]) => `${key}=${value}`).join(',');

/** The resource that the platform knows: it goes before what the guest says of itself. */
export type Attributes = { key: string; value: AnyValue }[];
const toResource = (platform: Attributes, resource?: Resource) => ({
  attributes: [...platform, ...toAttributes(resource?.attributes ?? []).filter(({ key }) => !platform.some((each) => each.key === key))],
});

/** One `ResourceSpans`; null: no collector would take it, or nobody wants it (it is not sampled). */
export function toResourceSpans(platform: Attributes, span: SpanData): object | null {
  const { spanContext, parentSpanId, instrumentationScope: scope, status } = span;
  if (!isId(spanContext.traceId, 32) || !isId(spanContext.spanId, 16) || !spanContext.traceFlags.sampled) return null;
  return {
    resource: toResource(platform),
    scopeSpans: [{
      scope: toScope(scope),
      schemaUrl: scope.schemaUrl,
      spans: [{
        traceId: spanContext.traceId,
        spanId: spanContext.spanId,
        traceState: stateOf(spanContext.traceState),
        parentSpanId: isId(parentSpanId, 16) ? parentSpanId : '',
        flags: flagsOf(spanContext.traceFlags),
        name: span.name,
        kind: SPAN_KINDS[span.spanKind],
        startTimeUnixNano: toNanos(span.startTime),
        endTimeUnixNano: toNanos(span.endTime),
        attributes: toAttributes(span.attributes),
        droppedAttributesCount: span.droppedAttributes,
        events: span.events.map(({ name, time, attributes }) => ({ name, timeUnixNano: toNanos(time), attributes: toAttributes(attributes) })),
        droppedEventsCount: span.droppedEvents,
        links: span.links.filter(({ spanContext: to }) => isId(to.traceId, 32) && isId(to.spanId, 16)).map(({ spanContext: to, attributes }) => ({
          traceId: to.traceId, spanId: to.spanId, traceState: stateOf(to.traceState), flags: flagsOf(to.traceFlags), attributes: toAttributes(attributes),
        })),
        droppedLinksCount: span.droppedLinks,
        status: { code: STATUS_CODES[status.tag], ...(status.tag === 'error' && { message: status.val }) },
      }],
    }],
  };
}

/** One `ResourceLogs`. */
export function toResourceLogs(platform: Attributes, log: LogData): object {
  const scope = log.instrumentationScope;
  return {
    resource: toResource(platform, log.resource),
    schemaUrl: log.resource?.schemaUrl,
    scopeLogs: [{
      ...(scope && { scope: toScope(scope), schemaUrl: scope.schemaUrl }),
      logRecords: [{
        timeUnixNano: log.timestamp && toNanos(log.timestamp),
        observedTimeUnixNano: log.observedTimestamp && toNanos(log.observedTimestamp),
        severityText: log.severityText,
        severityNumber: log.severityNumber,
        body: log.body === undefined ? undefined : toAnyValue(log.body),
        attributes: toAttributes(log.attributes ?? []),
        eventName: log.eventName,
        ...(log.traceId !== undefined && isId(log.traceId, 32) && { traceId: log.traceId }),
        ...(log.spanId !== undefined && isId(log.spanId, 16) && { spanId: log.spanId }),
        flags: flagsOf(log.traceFlags),
      }],
    }],
  };
}

/** One `ResourceMetrics`. */
export function toResourceMetrics(platform: Attributes, { resource, scopeMetrics }: ResourceMetrics): object {
  return {
    resource: toResource(platform, resource),
    schemaUrl: resource.schemaUrl,
    scopeMetrics: scopeMetrics.map(({ scope, metrics }) => ({
      scope: toScope(scope),
      schemaUrl: scope.schemaUrl,
      metrics: metrics.map(({ name, description, unit, data }) => ({ name, description, unit, ...toData(data.tag.replace(/^[fsu]64-/, ''), data.val) })),
    })),
  };
}

function toData(kind: string, data: MetricData): object {
  const temporality = { aggregationTemporality: TEMPORALITIES[data.temporality ?? 'cumulative'] };
  const dataPoints = data.dataPoints.map((point) => toPoint(point, data));
  switch (kind) {
    case 'gauge': return { gauge: { dataPoints } };
    case 'sum': return { sum: { dataPoints, ...temporality, isMonotonic: data.isMonotonic } };
    case 'histogram': return { histogram: { dataPoints, ...temporality } };
    default: return { exponentialHistogram: { dataPoints, ...temporality } };
  }
}

function toPoint(point: DataPoint, { startTime, time }: MetricData): object {
  const bucket = ({ offset, counts }: Bucket) => ({ offset, bucketCounts: Array.from(counts, String) });
  return {
    attributes: toAttributes(point.attributes),
    startTimeUnixNano: startTime && toNanos(startTime),
    timeUnixNano: toNanos(time),
    exemplars: point.exemplars.map((each) => ({
      filteredAttributes: toAttributes(each.filteredAttributes),
      timeUnixNano: toNanos(each.time),
      ...toNumber(each.value),
      ...(isId(each.traceId, 32) && { traceId: each.traceId }),
      ...(isId(each.spanId, 16) && { spanId: each.spanId }),
    })),
    ...(point.value && toNumber(point.value)),
    ...(point.count !== undefined && { count: String(point.count), sum: toDouble(point.sum), min: toDouble(point.min), max: toDouble(point.max) }),
    ...(point.bounds && { explicitBounds: Array.from(point.bounds), bucketCounts: Array.from(point.bucketCounts!, String) }),
    ...(point.positiveBucket && {
      scale: point.scale, zeroCount: String(point.zeroCount), zeroThreshold: point.zeroThreshold, positive: bucket(point.positiveBucket), negative: bucket(point.negativeBucket!),
    }),
  };
}

function toNumber({ tag, val }: MetricNumber): object {
  return tag === 'f64' ? { asDouble: val } : { asInt: String(val) };
}

const toDouble = (value: MetricNumber | undefined): number | undefined => value && Number(value.val);
