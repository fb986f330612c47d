import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { NO_GUEST_SETTINGS } from '#runtime/capability/guest-settings.js';
import { toAnyValue } from '#runtime/capability/otel/any-value.js';
import { exporterTo, flushTelemetry } from '#runtime/capability/otel/otlp-exporter.js';
import { readTraceContext } from '#runtime/capability/otel/trace-context.js';
import { TestGuest } from './guest-state.js';
import { InterfaceGuests, notCalled } from './interface-guest.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

let collector: Server;
let endpoint: string;
let status: number;
// oxlint-disable-next-line no-explicit-any -- what a collector gets is JSON
let got: { path: string; body: any }[];
let guest: TestGuest;
let guests: InterfaceGuests;
beforeEach(async () => {
  status = 200;
  got = [];
  collector = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => { body += chunk; });
    request.on('end', () => {
      got.push({ path: request.url!, body: JSON.parse(body) });
      response.writeHead(status).end('{}');
    });
  });
  await new Promise<void>((resolve) => { collector.listen(0, '127.0.0.1', resolve); });
  endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  guest = new TestGuest({ settings: { ...NO_GUEST_SETTINGS, otelEndpoint: `${endpoint}/` } }, { requestHeader: (name) => ({ traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: 'a=1, b@c=2' })[name] });
  guests = new InterfaceGuests(guest);
});
afterEach(() => {
  collector.closeAllConnections();
  collector.close();
  guest.dispose();
});
afterAll(() => expect(notCalled()).toEqual([]));

const otel = (name: string) => guests.of(`wasi:otel/${name}@0.2.0-rc.2`);
const at = (seconds: bigint) => ({ seconds, nanoseconds: 5 });
const SCOPE = { name: 'lib', version: '1', schemaUrl: undefined, attributes: [] };
const CONTEXT = { traceId: TRACE, spanId: SPAN, traceFlags: { sampled: true }, isRemote: false, traceState: [['a', '1']] };
const span = (rest: object = {}) => ({
  spanContext: CONTEXT, parentSpanId: '1'.repeat(16), spanKind: 'client', name: 'work', startTime: at(1n), endTime: at(2n), attributes: [{ key: 'n', value: '7' }],
  events: [{ name: 'e', time: at(1n), attributes: [] }], links: [{ spanContext: CONTEXT, attributes: [] }], status: { tag: 'error', val: 'why' },
  instrumentationScope: SCOPE, droppedAttributes: 1, droppedEvents: 2, droppedLinks: 3, ...rest,
});
const PLATFORM = [
  { key: 'service.name', value: { stringValue: 'app' } }, { key: 'service.version', value: { stringValue: '1' } },
  { key: 'whorl.org', value: { stringValue: 'default' } }, { key: 'whorl.component', value: { stringValue: 'main' } },
];

describe('wasi:otel', () => {
  it('knows the trace that the request belongs to', async () => {
    expect(await otel('tracing')('outer-span-context')).toEqual({ traceId: TRACE, spanId: SPAN, traceFlags: { sampled: true }, isRemote: true, traceState: [['a', '1'], ['b@c', '2']] });
  });

  it('exports spans', async () => {
    const tracing = otel('tracing');
    await tracing('on-start', CONTEXT);
    await tracing('on-end', span());
    await tracing('on-end', span({ parentSpanId: '', status: { tag: 'unset' } }));
    // nobody asked for this one, and no collector would take that one
    await tracing('on-end', span({ spanContext: { ...CONTEXT, traceFlags: { sampled: false } } }));
    await tracing('on-end', span({ spanContext: { ...CONTEXT, traceId: 'nothing' } }));
    await flushTelemetry();
    expect(got).toHaveLength(1);
    expect(got[0]!.path).toBe('/v1/traces');
    const [first, second] = got[0]!.body.resourceSpans;
    expect(first).toEqual({
      resource: { attributes: PLATFORM },
      scopeSpans: [{
        scope: { name: 'lib', version: '1', attributes: [] },
        spans: [{
          traceId: TRACE, spanId: SPAN, traceState: 'a=1', parentSpanId: '1'.repeat(16), flags: 1, name: 'work', kind: 3,
          startTimeUnixNano: '1000000005', endTimeUnixNano: '2000000005', attributes: [{ key: 'n', value: { intValue: '7' } }], droppedAttributesCount: 1,
          events: [{ name: 'e', timeUnixNano: '1000000005', attributes: [] }], droppedEventsCount: 2,
          links: [{ traceId: TRACE, spanId: SPAN, traceState: 'a=1', flags: 1, attributes: [] }], droppedLinksCount: 3, status: { code: 2, message: 'why' },
        }],
      }],
    });
    expect(second.scopeSpans[0].spans[0]).toMatchObject({ parentSpanId: '', status: { code: 0 } });
  });

  it('exports logs', async () => {
    const none = { timestamp: undefined, observedTimestamp: undefined, severityText: undefined, severityNumber: undefined, body: undefined, attributes: undefined, eventName: undefined, resource: undefined, instrumentationScope: undefined, traceId: undefined, spanId: undefined, traceFlags: undefined };
    await otel('logs')('on-emit', none);
    await otel('logs')('on-emit', {
      ...none, timestamp: at(3n), severityText: 'WARN', severityNumber: 13, body: '"text"', attributes: [{ key: 'k', value: 'true' }], eventName: 'ev', traceId: TRACE, spanId: SPAN,
      traceFlags: { sampled: true }, instrumentationScope: SCOPE,
      resource: { attributes: [{ key: 'service.name', value: '"another"' }, { key: 'host', value: '"h"' }], schemaUrl: 'https://s' },
    });
    await flushTelemetry();
    expect(got.map(({ path }) => path)).toEqual(['/v1/logs']);
    expect(got[0]!.body.resourceLogs[1]).toEqual({
      resource: { attributes: [...PLATFORM, { key: 'host', value: { stringValue: 'h' } }] },
      schemaUrl: 'https://s',
      scopeLogs: [{
        scope: { name: 'lib', version: '1', attributes: [] },
        logRecords: [{ timeUnixNano: '3000000005', severityText: 'WARN', severityNumber: 13, body: { stringValue: 'text' }, attributes: [{ key: 'k', value: { boolValue: true } }], eventName: 'ev', traceId: TRACE, spanId: SPAN, flags: 1 }],
      }],
    });
  });

  it('exports metrics of every kind', async () => {
    const point = { attributes: [], exemplars: [{ filteredAttributes: [], time: at(1n), value: { tag: 's64', val: -1n }, spanId: SPAN, traceId: TRACE }] };
    const times = { startTime: at(1n), time: at(2n) };
    const histogram = { ...point, count: 3n, bounds: Float64Array.of(1, 2), bucketCounts: BigUint64Array.of(1n, 1n, 1n), min: { tag: 'f64', val: 0.5 }, max: undefined, sum: { tag: 'f64', val: 4.5 } };
    const exponential = {
      ...point, count: 3n, min: undefined, max: undefined, sum: { tag: 'u64', val: 9n }, scale: -1, zeroCount: 1n, zeroThreshold: 0, positiveBucket: { offset: 2, counts: BigUint64Array.of(2n) }, negativeBucket: { offset: 0, counts: BigUint64Array.of() },
    };
    const metrics = ['f64', 's64', 'u64'].flatMap((type) => [
      { tag: `${type}-gauge`, val: { ...times, startTime: undefined, dataPoints: [{ ...point, value: { tag: 'f64', val: 1.5 } }] } },
      { tag: `${type}-sum`, val: { ...times, dataPoints: [{ ...point, value: { tag: 'u64', val: 7n } }], temporality: 'delta', isMonotonic: true } },
      { tag: `${type}-histogram`, val: { ...times, dataPoints: [histogram], temporality: 'cumulative' } },
      { tag: `${type}-exponential-histogram`, val: { ...times, dataPoints: [exponential], temporality: 'low-memory' } },
    ]).map((data) => ({ name: data.tag, description: 'd', unit: '1', data }));
    expect(await otel('metrics')('export', { resource: { attributes: [], schemaUrl: undefined }, scopeMetrics: [{ scope: SCOPE, metrics }] })).toEqual({ tag: 'ok' });
    await flushTelemetry();
    const sent = got[0]!.body.resourceMetrics[0].scopeMetrics[0].metrics;
    expect(sent).toHaveLength(12);
    const shared = { attributes: [], timeUnixNano: '2000000005', exemplars: [{ filteredAttributes: [], timeUnixNano: '1000000005', asInt: '-1', traceId: TRACE, spanId: SPAN }] };
    expect(sent.slice(0, 4)).toEqual([
      { name: 'f64-gauge', description: 'd', unit: '1', gauge: { dataPoints: [{ ...shared, asDouble: 1.5 }] } },
      { name: 'f64-sum', description: 'd', unit: '1', sum: { dataPoints: [{ ...shared, startTimeUnixNano: '1000000005', asInt: '7' }], aggregationTemporality: 1, isMonotonic: true } },
      { name: 'f64-histogram', description: 'd', unit: '1', histogram: { dataPoints: [{ ...shared, startTimeUnixNano: '1000000005', count: '3', sum: 4.5, min: 0.5, explicitBounds: [1, 2], bucketCounts: ['1', '1', '1'] }], aggregationTemporality: 2 } },
      { name: 'f64-exponential-histogram', description: 'd', unit: '1', exponentialHistogram: { dataPoints: [{ ...shared, startTimeUnixNano: '1000000005', count: '3', sum: 9, scale: -1, zeroCount: '1', zeroThreshold: 0, positive: { offset: 2, bucketCounts: ['2'] }, negative: { offset: 0, bucketCounts: [] } }], aggregationTemporality: 2 } },
    ]);
  });

  it('says in the log of a later invocation what was lost', async () => {
    status = 503;
    await otel('tracing')('on-end', span());
    await flushTelemetry();
    await otel('tracing')('on-end', span());
    expect(guest.notes).toEqual(['1 records of telemetry were not exported: the collector answered 503']);
    const exporter = exporterTo(endpoint);
    for (let i = 0; i < 100; i += 1) exporter.add('logs', { filler: 'x'.repeat(100_000) });
    expect(exporter.takeLosses()).toMatch(/^\d+ records .* more than the collector takes$/);
    await flushTelemetry();
  });

  it('is listened to by nobody when the operator has no collector', async () => {
    guest.dispose();
    guest = new TestGuest();
    guests = new InterfaceGuests(guest);
    await otel('tracing')('on-end', span());
    expect(await otel('metrics')('export', { resource: { attributes: [], schemaUrl: undefined }, scopeMetrics: [] })).toEqual({ tag: 'ok' });
    expect(await otel('tracing')('outer-span-context')).toMatchObject({ traceId: '0'.repeat(32), isRemote: false });
    await flushTelemetry();
    expect(got).toEqual([]);
  });
});

describe(readTraceContext.name, () => {
  it.each([undefined, '', `00-${TRACE}-${SPAN}`, `ff-${TRACE}-${SPAN}-01`, `00-${'0'.repeat(32)}-${SPAN}-01`, `00-${TRACE}-${'0'.repeat(16)}-01`, `00-${TRACE.toUpperCase()}-${SPAN}-01`])('takes nothing from %j', (traceparent) => {
    expect(readTraceContext(traceparent, 'a=1')).toMatchObject({ traceId: '0'.repeat(32), traceState: [] });
  });

  it('takes a later version, and no state that is malformed', () => {
    expect(readTraceContext(`01-${TRACE}-${SPAN}-00-more`, 'A=1,b=2')).toMatchObject({ traceId: TRACE, traceFlags: { sampled: false }, traceState: [] });
  });
});

describe(toAnyValue.name, () => {
  it.each([
    ['"a"', { stringValue: 'a' }], ['true', { boolValue: true }], ['7', { intValue: '7' }], ['9223372036854775807', { intValue: '9223372036854775807' }], ['1.0', { doubleValue: 1 }],
    ['"data:application/octet-stream;base64,AQI="', { bytesValue: 'AQI=' }], ['null', {}], ['[1,"b"]', { arrayValue: { values: [{ intValue: '1' }, { stringValue: 'b' }] } }],
    ['{"a":{"b":false}}', { kvlistValue: { values: [{ key: 'a', value: { kvlistValue: { values: [{ key: 'b', value: { boolValue: false } }] } } }] } }],
    ['no json', { stringValue: 'no json' }],
  ])('makes of %s %j', (json, expected) => {
    expect(toAnyValue(json)).toEqual(expected);
  });
});
