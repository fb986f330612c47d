/** `AnyValue` of OTLP in JSON. */
export type AnyValue = Record<string, unknown>;

export interface KeyValue {
  key: string;
  value: string;
}

const BYTES = 'data:application/octet-stream;base64,';

/**
 * A `value` of wasi:otel/types, which is the JSON of a value: numbers without a fraction are integers of 64 bits, texts that begin as a
 * data URL are bytes. What is no JSON is a text.
 */
export function toAnyValue(json: string): AnyValue {
  try {
    return JSON.parse(json, (_key, value: unknown, context?: { source?: string }) => toAny(value, context?.source)) as AnyValue;
  } catch {
    return { stringValue: json };
  }
}

export const toAttributes = (attributes: readonly KeyValue[]): { key: string; value: AnyValue }[] =>
  attributes.map(({ key, value }) => ({ key, value: toAnyValue(value) }));

/** The parts of arrays and objects have been converted before. */
function toAny(value: unknown, source: string | undefined): AnyValue {
  switch (typeof value) {
    case 'string': return value.startsWith(BYTES) ? { bytesValue: value.slice(BYTES.length) } : { stringValue: value };
    case 'boolean': return { boolValue: value };
    case 'number': return source !== undefined && /^-?\d+$/.test(source) ? { intValue: source } : { doubleValue: value };
    default:
  }
  if (value === null) return {};
  if (Array.isArray(value)) return { arrayValue: { values: value } };
  return { kvlistValue: { values: Object.entries(value as object).map(([key, each]) => ({ key, value: each as AnyValue })) } };
}
