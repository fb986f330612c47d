import { dateOfDays, isDate, isTime, type DateTuple, type TimeTuple } from './calendar.js';

/** A parameter of `spin:postgres@4`; the older interfaces have fewer. */
export interface ParameterValue {
  tag: string;
  val?: unknown;
}

/** A parameter on the wire: text, which the server reads as the type that it inferred for the place; bytes for `binary`; null. */
export type WireParameter = string | Buffer | null;

/** A value that no server would take. */
export class BadParameter extends Error {
  override name = 'BadParameter';
}

/** No setting of a session changes how these texts are read: years have four digits or more, intervals a sign in each part. */
export function wireParameter({ tag, val }: ParameterValue): WireParameter {
  if (tag === 'db-null') return null;
  const encode = ENCODERS[tag];
  if (!encode) throw new BadParameter(`a parameter of type ${tag} is not supported by PostgreSQL`);
  return encode(val as never);
}

const ENCODERS: Readonly<Record<string, (val: never) => string | Buffer>> = {
  boolean: (val: boolean) => (val ? 'true' : 'false'),
  int8: String,
  int16: String,
  int32: String,
  int64: String,
  floating32: float,
  floating64: float,
  str: (val: string) => val,
  binary: (val: Uint8Array) => Buffer.from(val.buffer, val.byteOffset, val.byteLength),
  date,
  time,
  datetime: ([year, month, day, ...rest]: [...DateTuple, ...TimeTuple]) => moment([year, month, day], rest),
  timestamp,
  uuid,
  jsonb,
  decimal,
  'range-int32': range<number>(String),
  'range-int64': range<bigint>(String),
  'range-decimal': range(decimal),
  'array-int32': array<number>(String),
  'array-int64': array<bigint>(String),
  'array-decimal': array(decimal),
  'array-str': array(quoted),
  interval: ({ micros, days, months }: { micros: bigint; days: number; months: number }) =>
    `${signed(months)} months ${signed(days)} days ${signed(micros)} microseconds`,
};

const pad = (value: number, length: number): string => String(value).padStart(length, '0');

const signed = (value: number | bigint): string => (value < 0 ? String(value) : `+${value}`);

function float(val: number): string {
  return Object.is(val, -0) ? '-0' : String(val);
}

/** Year 0 is 1 BC. */
function date([year, month, day]: DateTuple): string {
  if (!isDate([year, month, day])) throw new BadParameter(`invalid date y=${year}, m=${month}, d=${day}`);
  return `${pad(year > 0 ? year : 1 - year, 4)}-${pad(month, 2)}-${pad(day, 2)}${year > 0 ? '' : ' BC'}`;
}

/** PostgreSQL keeps microseconds: what is finer is cut off. */
function time(val: TimeTuple): string {
  if (!isTime(val)) throw new BadParameter(`invalid time ${val.join(':')}`);
  const [hour, minute, second, nanosecond] = val;
  return `${pad(hour, 2)}:${pad(minute, 2)}:${pad(second, 2)}.${pad(Math.floor(nanosecond / 1000), 6)}`;
}

/** In UTC, which a `timestamp` without time zone does not read. */
function moment(day: DateTuple, timeOfDay: TimeTuple): string {
  const [text, era = ''] = date(day).split(/(?= BC)/);
  return `${text} ${time(timeOfDay)}+00${era}`;
}

/** Seconds since 1970. */
function timestamp(val: bigint): string {
  const inDay = Number(((val % 86_400n) + 86_400n) % 86_400n);
  const days = (val - BigInt(inDay)) / 86_400n;
  // more than PostgreSQL has, and few enough for exact arithmetic
  if (days > 200_000_000n || days < -200_000_000n) throw new BadParameter(`invalid epoch timestamp ${val}`);
  return moment(dateOfDays(Number(days)), [Math.floor(inDay / 3600), Math.floor(inDay / 60) % 60, inDay % 60, 0]);
}

function uuid(val: string): string {
  if (!/^\{?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\}?$/i.test(val)) throw new BadParameter(`invalid UUID ${val}`);
  return val;
}

function jsonb(val: Uint8Array): string {
  const text = Buffer.from(val.buffer, val.byteOffset, val.byteLength).toString();
  try {
    JSON.parse(text);
  } catch (cause) {
    throw new BadParameter(`invalid JSON ${text.slice(0, 200)}`, { cause });
  }
  return text;
}

function decimal(val: string): string {
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)$/.test(val)) throw new BadParameter(`invalid decimal ${val}`);
  return val;
}

type Bound<T> = [value: T, kind: 'inclusive' | 'exclusive'] | undefined;

function range<T>(element: (value: T) => string): (val: [Bound<T>, Bound<T>]) => string {
  return ([lower, upper]) => {
    const from = lower ? `${lower[1] === 'inclusive' ? '[' : '('}${element(lower[0])}` : '(';
    const to = upper ? `${element(upper[0])}${upper[1] === 'inclusive' ? ']' : ')'}` : ')';
    return `${from},${to}`;
  };
}

function array<T>(element: (value: T) => string): (val: (T | undefined)[]) => string {
  return (val) => `{${val.map((each) => (each === undefined ? 'NULL' : element(each))).join(',')}}`;
}

function quoted(val: string): string {
  return `"${val.replace(/["\\]/g, '\\$&')}"`;
}
