import type { appBundle } from './bundles.mjs';

/** Of any JSON answer: those are checked against the OpenAPI document elsewhere. */
// oxlint-disable-next-line no-explicit-any -- as above
type Json = any;

export interface FleetOptions {
  /** How many, on 127.0.0.2 and so on; 3. */
  nodes?: number;
  /** How many; 1. Nodes reach them through a link of their own, which asks them in turn. */
  controlPlanes?: number;
  /** Of each node; 1. */
  runners?: number;
  /** For all processes, for control planes and for nodes. */
  env?: Record<string, string>;
  controlEnv?: Record<string, string>;
  nodeEnv?: Record<string, string>;
  hosts?: 'loopback' | 'namespaces';
  /** A folder that is kept; else one that is made and removed. */
  dir?: string;
}

export function startFleet(options?: FleetOptions): Promise<Fleet>;

export interface Member {
  readonly name: string;
  readonly pid: number | undefined;
  readonly isRunning: boolean;
  readonly port: number;
  readonly output: string;
  /** Its environment, which may be changed before it is started again. */
  readonly env: Record<string, string>;
  /** Resolves to its exit status or the signal when it ends. */
  readonly ended: Promise<number | string>;
  start(): Promise<this>;
  /** SIGTERM, and waits. Answers the exit status or the signal. */
  stop(timeoutMs?: number): Promise<number | string | undefined>;
  /** SIGKILL of it and all that it has started. */
  kill(): Promise<void>;
  /** `stop` and `start`. */
  restart(): Promise<this>;
  pause(): void;
  resume(): void;
  signal(signal: string): void;
}

export interface FleetNode extends Member {
  readonly node: string;
  readonly address: string;
  /** Its way to the control planes. */
  readonly link: { cut(): void; mend(): void; readonly port: number };
}

export interface Target {
  node: string;
  address: string;
  port: number;
}

export interface LoadOptions {
  /** Requests/s in all. */
  rate: number;
  apps: string[];
  /** All nodes by default, also those that are added later only when they are named with setTargets. */
  targets?: Target[];
  /** How many there are, each with its own `x-user`; 1000. */
  users?: number;
  /** In turn; `/` by default. */
  paths?: string[];
  headers?: Record<string, string>;
  domain?: string;
  timeoutMs?: number;
}

export interface Row {
  startMs: number;
  endMs: number;
  /** The one that was asked last. */
  node: string;
  app: string;
  /** 0: no answer. */
  status: number;
  /** The answer's body, or why there was none. */
  text: string;
  tries: number;
  user: string;
  ms: number;
}

export interface Load {
  readonly rows: Row[];
  stop(): Promise<Row[]>;
  setTargets(targets: Target[]): void;
  setRate(rate: number): void;
}

export interface Outcome {
  requests: number;
  answered: number;
  inFlight: number;
  retried: number;
  failed: Record<string, number>;
  failures: Row[];
  disallowed: (Row & { version: number | undefined })[];
  /** Answers, by `app/version`. */
  byVersion: Record<string, number>;
}

export interface Ledger {
  readonly generations: Map<string, { generation: number; versions: number[]; fromMs: number; untilMs: number }[]>;
  /** Says what a version answers, for one that was not deployed with `deploy`. */
  name(app: string, version: number, text: string): void;
  allows(app: string, version: number, startMs: number, endMs: number): boolean;
}

export interface Fleet {
  readonly dir: string;
  readonly api: string;
  readonly adminToken: string;
  readonly nodeToken: string;
  readonly planes: Member[];
  readonly nodes: FleetNode[];
  readonly ledger: Ledger;
  readonly postgres: { readonly url: string; readonly pid: number; start(): Promise<void>; stop(): Promise<void> };
  readonly kills: { node: string; atMs: number; goneMs: number }[];
  folder(name: string): string;
  addControlPlane(env?: Record<string, string>): Promise<Member>;
  addNode(index?: number, env?: Record<string, string>): Promise<FleetNode>;
  untilLive(names: string[]): Promise<void>;
  ask(method: string, path: string, options?: { json?: unknown; body?: BodyInit; headers?: Record<string, string> }): Promise<{ status: number; body: Json }>;
  call(method: string, path: string, options?: { json?: unknown; body?: BodyInit; headers?: Record<string, string> }): Promise<Json>;
  push(app: string, bundle: Uint8Array, query?: string): Promise<Json>;
  deploy(app: string, text: string, query?: string, is?: Parameters<typeof appBundle>[1]): Promise<Json>;
  sql(text: string, values?: unknown[]): Promise<Json[]>;
  load(options: LoadOptions): Load;
  withoutRequests(node: FleetNode, work: () => Promise<unknown>): Promise<void>;
  restartInTurn(node: FleetNode): Promise<void>;
  untilServes(node: FleetNode, app: string): Promise<void>;
  judge(load: Load): Promise<Outcome>;
  until(what: string, condition: () => boolean | Promise<boolean>, timeoutMs?: number): Promise<void>;
  stop(): Promise<void>;
}
