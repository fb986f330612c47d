import { Err, type HostFunction } from '#engine/run/host.js';
import { plain, type Capability } from '../capability.js';

/** `request-options`: durations in ns; undefined: the default. */
export class RequestOptions {
  connectNs: bigint | undefined;
  firstByteNs: bigint | undefined;
  betweenBytesNs: bigint | undefined;
  immutable = false;

  clone(): RequestOptions {
    const copy = new RequestOptions();
    copy.connectNs = this.connectNs;
    copy.firstByteNs = this.firstByteNs;
    copy.betweenBytesNs = this.betweenBytesNs;
    return copy;
  }
}

const NS_PER_MS = 1_000_000n;

/** The first candidate has a record of times in ms. */
export interface OptionsRecord {
  connectTimeoutMs: number | undefined;
  firstByteTimeoutMs: number | undefined;
  betweenBytesTimeoutMs: number | undefined;
}

export function fromRecord({ connectTimeoutMs, firstByteTimeoutMs, betweenBytesTimeoutMs }: OptionsRecord): RequestOptions {
  const toNs = (ms: number | undefined) => (ms === undefined ? undefined : BigInt(ms) * NS_PER_MS);
  const options = new RequestOptions();
  options.connectNs = toNs(connectTimeoutMs);
  options.firstByteNs = toNs(firstByteTimeoutMs);
  options.betweenBytesNs = toNs(betweenBytesTimeoutMs);
  return options;
}

const DURATIONS = [['connect', 'connectNs'], ['first-byte', 'firstByteNs'], ['between-bytes', 'betweenBytesNs']] as const;
const IMMUTABLE = new Err({ tag: 'immutable' });

type Key = (typeof DURATIONS)[number][1];
const methods = (each: (name: string, key: Key) => [string, HostFunction][]): Capability['functions'] => Object.fromEntries([
  ['[constructor]request-options', plain(() => new RequestOptions())],
  ...DURATIONS.flatMap(([name, key]) => each(name, key)).map(([name, call]) => [`[method]request-options.${name}`, plain(call)]),
]);

/** @param suffix of the functions' names: the second candidate calls them `…-ms`, and they are durations in ns all the same (as in Spin) */
const of02 = (suffix: string): Capability['functions'] => methods((name, key) => [
  [`${name}-timeout${suffix}`, (options: RequestOptions) => options[key]],
  [`set-${name}-timeout${suffix}`, (options: RequestOptions, ns: bigint | undefined) => { options[key] = ns; }],
]);

export const REQUEST_OPTIONS_02 = of02('');
export const REQUEST_OPTIONS_2023_11_10 = of02('-ms');

export const REQUEST_OPTIONS_03: Capability['functions'] = {
  ...methods((name, key) => [
    [`get-${name}-timeout`, (options: RequestOptions) => options[key]],
    [`set-${name}-timeout`, (options: RequestOptions, ns: bigint | undefined) => {
      if (options.immutable) return IMMUTABLE;
      options[key] = ns;
      return undefined;
    }],
  ]),
  '[method]request-options.clone': plain((options: RequestOptions) => options.clone()),
};
