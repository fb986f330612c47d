import { Err, type HostFunction } from '#engine/run/host.js';
import type { GuestState } from '#runtime/capability/guest.js';
import { CAPABILITIES, resolveHost } from '#runtime/capability/table.js';
import { keyOf } from './wit-value.js';

/** Which resource an object is that a host function gives, by the end of the function's name. */
const GIVEN: [functionName: RegExp, resource: string][] = [
  [/headers$|fields/, 'fields'], [/consume$/, 'incoming-body'], [/\]incoming-body\.stream$|read-via-stream$|^get-stdin$/, 'input-stream'],
  [/\.body$/, 'outgoing-body'], [/outgoing-body\.write$|(write|append)-via-stream$|^get-std(out|err)$/, 'output-stream'],
  [/\]incoming-body\.finish$/, 'future-trailers'], [/subscribe|subscribe-\w+$/, 'pollable'], [/open-at$|^get-directories$/, 'descriptor'],
  [/store\.open$/, 'store'], [/-stream\./, 'error'], [/^\[constructor\]outgoing-response$/, 'outgoing-response'],
];

const classNameOf = (resource: string): string => resource.replaceAll(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase());

/** What jco's glue sees of a host object. */
class Resource {
  inner: unknown;
}

/** The host's own capabilities as the imports of jco's glue: resources as classes, errors thrown, everything else as it is. */
export class JcoHost {
  private readonly classes = new Map<string, typeof Resource & Record<string, unknown>>();
  readonly imports: Record<string, Record<string, unknown>> = {};

  constructor(private readonly state: GuestState) {
    for (const { name, version, functions } of CAPABILITIES) {
      // those that the examples import; jco's glue names interfaces without their versions
      if (version !== '0.2' && version !== '2.0.0') continue;
      const iface = `${name}@${version === '0.2' ? '0.2.3' : version}`;
      const members = this.imports[name] = {};
      for (const fn of Object.keys(functions)) this.define(members, iface, fn);
      // resources without a function: only their classes are asked for
      this.imports[name] = new Proxy(members, { get: (known: Record<string, unknown>, key) => known[key as string] ?? this.classOf(key as string) });
    }
  }

  /** A host object for the guest, as one of the named resource. */
  wrap(resource: string, inner: unknown): unknown {
    return Object.assign(Object.create(this.classOf(classNameOf(resource)).prototype as object) as Resource, { inner });
  }

  private classOf(className: string): typeof Resource & Record<string, unknown> {
    let known = this.classes.get(className);
    if (!known) this.classes.set(className, known = class extends Resource {} as never);
    return known;
  }

  private define(members: Record<string, unknown>, iface: string, name: string): void {
    const host = resolveHost(iface, name)!.bind(this.state);
    const call = (...args: unknown[]): unknown => this.give(name, fieldValuesAsBytes(name, (host as HostFunction)(...args.map(unwrap))));
    const [, kind, resource, method] = /^\[([\w-]+)\]([\w-]+)(?:\.([\w-]+))?$/.exec(name) ?? [];
    if (kind === undefined || resource === undefined) {
      members[keyOf(name)] = call;
      return;
    }
    const className = classNameOf(resource);
    const { prototype } = this.classOf(className);
    const own = function of(this: Resource, ...args: unknown[]): unknown {
      return call(this, ...args);
    };
    if (kind === 'method') Object.assign(prototype, { [keyOf(method!)]: own });
    else if (kind === 'resource-drop') Object.assign(prototype, { [Symbol.dispose]: own });
    else if (kind === 'static') Object.assign(this.classOf(className), { [keyOf(method!)]: call });
    else this.construct(className, call);
    members[className] = this.classOf(className);
  }

  private construct(className: string, call: HostFunction): void {
    const before = this.classOf(className);
    // what the constructor gives is the object that `new` gives
    const made = function construct(...args: unknown[]): unknown { return call(...args); };
    made.prototype = before.prototype;
    this.classes.set(className, Object.assign(made, before) as never);
  }

  private give(fn: string, value: unknown): unknown {
    if (value instanceof Promise) throw new Error(`${fn} waits: jco's glue was made to run without stacks that can be suspended`);
    const wrapped = (inner: unknown): unknown => {
      if (typeof inner !== 'object' || inner === null || ArrayBuffer.isView(inner)) return inner;
      if (Array.isArray(inner)) return inner.map(wrapped);
      if (Object.getPrototypeOf(inner) === Object.prototype) return Object.fromEntries(Object.entries(inner).map(([key, part]) => [key, wrapped(part)]));
      const resource = GIVEN.find(([name]) => name.test(fn))?.[1];
      if (resource === undefined) throw new Error(`which resource does ${fn} give?`);
      return this.wrap(resource, inner);
    };
    if (value instanceof Err) throw Object.assign(new Error(`${fn} failed`), { payload: wrapped(value.payload) });
    return wrapped(value);
  }
}

/** Our engine takes latin-1 texts for the values of fields, as lists of bytes; jco's glue takes the bytes alone. */
function fieldValuesAsBytes(fn: string, value: unknown): unknown {
  const bytes = (text: unknown): unknown => (typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
  if (fn === '[method]fields.get') return (value as unknown[]).map(bytes);
  return fn === '[method]fields.entries' ? (value as [string, unknown][]).map(([name, text]) => [name, bytes(text)]) : value;
}

function unwrap(value: unknown): unknown {
  if (value instanceof Resource) return value.inner;
  if (Array.isArray(value)) return value.map(unwrap);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, unwrap(part)]));
}
