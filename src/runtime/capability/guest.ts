import type { LimitCode } from '#contract/errors/component.js';
import type { RuntimeGrant } from '#contract/runtime-grant.js';
import type { GuestSettings } from './guest-settings.js';
import type { HostMemory } from './host-memory.js';
import type { Ending } from './ending.js';
import type { VariableAnswer } from './variables/variable-source.js';

/**
 * What the trigger and component stages hand to capabilities. A capability sees one slot's `GuestState`; it never sees sockets of
 * the front, other apps, or the process's environment.
 */

export const EOF = Symbol('end of bytes');

/** Bytes that arrive: from a socket, from another guest, or from memory. Pulled without a promise for each chunk. */
export interface ByteSource {
  /** At most `max` bytes; null: nothing now, `onReadable` is called when that changes; EOF: ended. Throws when the source broke. */
  read(max: number): Uint8Array | null | typeof EOF;
  onReadable: (() => void) | null;
  /** The reader lost interest: what is still to come is dropped. */
  cancel(): void;
  /** There is nothing and never will be: to read it or to cancel it changes nothing anywhere. */
  readonly isEmpty?: boolean;
  /** Trailer fields, known after EOF. */
  trailers(): Headers | null;
}

export interface ByteSink {
  /** Takes the chunk in any case (it may keep the view: the caller must not reuse it). false: wait for `onDrain` before the next. */
  write(chunk: Uint8Array): boolean;
  onDrain: (() => void) | null;
  /** The other side went away: writes are dropped. */
  readonly closed: boolean;
  onClose: (() => void) | null;
  end(trailers?: Headers): void;
  /** Breaks the stream so that the other side sees an incomplete body. */
  abort(reason: Error): void;
}

/** Header fields in order, names as they came, values as latin-1 strings (one char one byte). */
export type Headers = readonly (readonly [name: string, value: string])[];

/** One HTTP request that a guest answers. */
export interface HttpExchange {
  readonly method: string;
  /** Origin form: `/path?query`. */
  readonly pathWithQuery: string;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  readonly headers: Headers;
  readonly body: ByteSource;
  /** At most once. The head may be held back until the first chunk or the end, so that a small answer is one write. */
  respond(status: number, headers: Headers): ByteSink;
  /** An interim answer, status 100 to 199 (RFC 9110, section 15.2), before the answer itself. Without it nobody there takes any: none needs to (section 15.2). */
  inform?(status: number, headers: Headers): void;
}

/** One invocation: from the moment a slot is given to it until the guest is done. */
export interface Invocation {
  readonly requestId: string;
  /** Guest output; cut into lines, capped and logged by the component stage. */
  write(stream: 'stdout' | 'stderr', bytes: Uint8Array): void;
  /** A line of the platform's own about this invocation, such as a denied connection. */
  note(line: string): void;
  /**
   * Called by a capability before it changes or sends anything that outlives the invocation (a key written, a request sent out, a
   * chained call). Without an effect, an invocation that struck the shared lane's CPU bound can be run again elsewhere.
   */
  effect?(): void;
  /** Something that it asked for was refused, since nothing of it may leave; see `GuestGrant.refusesEffects`. */
  refused?(): void;
  /** A limit struck that the guest may live with: it is told by an error of the interface's own, and the log and the metrics say it too. */
  struck?(code: LimitCode, message: string): void;
  /** CPU that another process has used for the invocation, in ms: it is metered. What the invocation may use there besides, in ms; none is left at 0 and below. */
  used?(cpuMs: number): number;
  /** The first field of this name (lower case) of the request that is answered; undefined: there is none. */
  requestHeader?(name: string): string | undefined;
  /** Wall-clock end, ms since the epoch; every wait of a capability settles by then. */
  readonly deadlineAt: number;
  /** At the deadline, when the client hung up and when the slot is reset: outbound work stops. */
  readonly ending: Ending;
  /** What `wasi:cli/stdin` reads (WAGI, commands); null: empty. */
  readonly stdin: ByteSource | null;
  /** Takes what would be stdout, instead of the log (WAGI). */
  readonly stdout: ByteSink | null;
  /** Arguments and environment on top of the grant's (WAGI). */
  readonly args: readonly string[];
  readonly environment: readonly (readonly [string, string])[];
  /**
   * Service chaining and self requests: hands an exchange to a component of the same app and version in this process. `component`
   * null: the app's own router decides by path (a self request). Throws when there is no such component or route.
   */
  chain(component: string | null, exchange: HttpExchange): void;
}

/** How far a component may go out. */
export interface OutboundLimits {
  /** Requests of one invocation, and of those under way at a time. */
  outboundRequests: number;
  outboundConcurrency: number;
  /** Connections of the component in this process. */
  outboundConnections: number;
}

export interface GrantedFile {
  /** Normalised, absolute in the guest: `/assets/logo.png`. */
  path: string;
  /** Where its bytes are on this machine, read-only, content-addressed. */
  localPath: string;
  bytes: number;
}

/** What one component of one version may use: made once for each version in a runner, shared by its slots. */
export interface GuestGrant {
  org: string;
  app: string;
  version: number;
  component: string;
  environment: readonly (readonly [string, string])[];
  files: readonly GrantedFile[];
  /**
   * Component variables after template expansion; a function where a provider has to be asked. The object is replaced when values change:
   * read it at each call.
   */
  readonly variables: ReadonlyMap<string, VariableAnswer>;
  /** As in the manifest, templates expanded; re-read for each invocation. */
  readonly allowedOutboundHosts: readonly string[];
  /** Ids of the app's components that can be chained to. */
  components: readonly string[];
  keyValueStores: readonly string[];
  sqliteDatabases: readonly string[];
  aiModels: readonly string[];
  /** Folder for the app's own data on this node (key-value, SQLite); it outlives versions. */
  stateDir: string;
  /** Folder for the data of its org on this node: what apps share lies there. */
  orgDir: string;
  /** The operator's runtime configuration for the app. The object is replaced when it changes: read it at each call. */
  readonly runtime: RuntimeGrant;
  allowPrivateHosts: boolean;
  /** Nothing may be changed or sent: its invocations answer copies of requests. Reading stays as it is. */
  readonly refusesEffects: boolean;
  readonly settings: GuestSettings;
  readonly limits: OutboundLimits;
}

/** The state of one slot. `invocation` changes with each use; everything else stays. */
export interface GuestState {
  readonly grant: GuestGrant;
  invocation: Invocation;
  /**
   * Where capabilities keep something for the invocation when several take turns: `invocation` is then the one whose code runs, and what runs
   * outside of guest code must have asked before. null: there is one at a time.
   */
  readonly own?: { capabilities?: object } | null;
  /** What is held outside of the guest for this invocation. */
  readonly memory: HostMemory;
  /** Runs `release` when the slot is reset, whatever happened: sockets, timers, handles the guest left open. */
  defer(release: () => void): void;
}
