import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NO_RUNTIME_GRANT } from '#contract/runtime-grant.js';
import { Err, type HostFunction } from '#engine/run/host.js';
import { BytePipe } from '#runtime/capability/byte-pipe.js';
import { Ending } from '#runtime/capability/ending.js';
import { EOF, type ByteSource, type GuestGrant, type GuestState, type Headers, type HttpExchange, type Invocation } from '#runtime/capability/guest.js';
import { NO_GUEST_SETTINGS } from '#runtime/capability/guest-settings.js';
import { HostMemory } from '#runtime/capability/host-memory.js';
import { resolveHost } from '#runtime/capability/table.js';

const MEMORY_BYTES = 64 * 1024 * 1024;

/** A slot as the component stage would hold it, with what it recorded. */
export class TestGuest implements GuestState {
  readonly grant: GuestGrant;
  invocation: Invocation;
  memory = new HostMemory(MEMORY_BYTES);
  readonly notes: string[] = [];
  readonly output: Record<'stdout' | 'stderr', string> = { stdout: '', stderr: '' };
  private releases: (() => void)[] = [];
  private ending = new Ending();
  private readonly dir = mkdtempSync(join(tmpdir(), 'whorl-capability-'));

  constructor(grant: Partial<GuestGrant> = {}, invocation: Partial<Invocation> = {}) {
    this.grant = {
      org: 'default', app: 'app', version: 1, component: 'main', environment: [], files: [], variables: new Map(),
      allowedOutboundHosts: [], components: [], keyValueStores: [], sqliteDatabases: [], aiModels: [],
      stateDir: join(this.dir, 'app'), orgDir: this.dir, runtime: NO_RUNTIME_GRANT, allowPrivateHosts: true, refusesEffects: false, settings: NO_GUEST_SETTINGS,
      limits: { outboundRequests: 1_000, outboundConcurrency: 128, outboundConnections: 512 }, ...grant,
    };
    this.invocation = this.next(invocation);
  }

  /** Ends the invocation at hand, as a reset of the slot does, and begins another. */
  next(invocation: Partial<Invocation> = {}): Invocation {
    this.ending.end();
    const releases = this.releases;
    this.releases = [];
    for (const release of releases) release();
    this.memory.close();
    this.memory = new HostMemory(MEMORY_BYTES);
    this.ending = new Ending();
    return (this.invocation = {
      requestId: 'test',
      write: (stream, bytes) => { this.output[stream] += Buffer.from(bytes).toString(); },
      note: (line) => { this.notes.push(line); },
      deadlineAt: Date.now() + 30_000,
      ending: this.ending,
      stdin: null,
      stdout: null,
      args: [],
      environment: [],
      chain: () => { throw new Error('no such component'); },
      ...invocation,
    });
  }

  hangUp(): void {
    this.ending.end();
  }

  defer(release: () => void): void {
    this.releases.push(release);
  }

  dispose(): void {
    this.next();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** The host's function, bound to this slot. Throws when there is none. */
  host(iface: string, name: string): HostFunction {
    const binding = resolveHost(iface, name);
    if (!binding) throw new Error(`no ${name} in ${iface}`);
    return binding.bind(this);
  }

  /** Calls `name` of one interface; the version is that of the interface as written. */
  // oxlint-disable-next-line no-explicit-any -- what comes back is as WIT says, and each test knows which
  calls(iface: string): (name: string, ...args: unknown[]) => any {
    return (name, ...args) => this.host(iface, name)(...args);
  }
}

export interface Answer {
  status: number;
  headers: Headers;
  body: BytePipe;
}

/** An exchange whose answer is kept. */
export class TestExchange implements HttpExchange {
  readonly scheme = 'http';
  readonly authority = 'app.localhost:3000';
  readonly requestBody = new BytePipe();
  readonly body: ByteSource = this.requestBody;
  answer: Answer | null = null;
  readonly informed: [status: number, headers: Headers][] = [];

  constructor(readonly method = 'GET', readonly pathWithQuery = '/', readonly headers: Headers = []) {}

  inform(status: number, headers: Headers): void {
    this.informed.push([status, headers]);
  }

  respond(status: number, headers: Headers): BytePipe {
    if (this.answer) throw new Error('answered twice');
    this.answer = { status, headers, body: new BytePipe() };
    return this.answer.body;
  }
}

/** Everything a source gives, as text. */
export async function drain(source: ByteSource): Promise<string> {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const chunk = source.read(65536);
    if (chunk === EOF) return Buffer.concat(chunks).toString();
    if (chunk === null) await new Promise<void>((resolve) => { source.onReadable = resolve; });
    else chunks.push(chunk);
  }
}

export const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
/** Of bytes, or of the text that the host may give for them. */
export const text = (chunk: Uint8Array | string): string => Buffer.from(chunk as string, 'latin1').toString('latin1');

/** The value of a result; throws with the error when it is one. */
export function ok<T>(result: T | Err): T {
  if (result instanceof Err) throw new Error(`unexpected error ${JSON.stringify(result.payload)}`);
  return result;
}

export const header = (headers: Headers, name: string): string | undefined => headers.find(([each]) => each === name)?.[1];
