import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { deserialize, serialize } from 'node:v8';
import { SqlError, SqlLimit, type SqlValue } from './sql.js';

/** What the process is asked; `path` and what follows is heeded when the connection is new to it. */
export interface ProcessRequest {
  connection: number;
  path: string;
  readOnly: boolean;
  maxBytes: number;
  maxResultBytes: number;
  sql: string;
  params: readonly SqlValue[];
}

/** `keep`: the connection has what a new one would not have, such as a transaction that is open. */
export type ProcessReply =
  | { columns: string[]; rows: SqlValue[][]; lastInsertRowid: bigint; changes: bigint; keep: boolean; cpuMs: number }
  | { error: string; code: number; keep: boolean; cpuMs: number };

/** A statement that waits for the process, or runs in it. */
export interface Job {
  readonly request: ProcessRequest;
  /** See `ExecuteOptions`. */
  readonly charge: ((cpuMs: number) => number) | undefined;
  done(reply: ProcessReply): void;
  fail(error: Error): void;
}

/** Of a whole process, in which one statement runs. */
const MAX_RESIDENT_BYTES = 512 * 1024 * 1024;
const PAGE_BYTES = 4096;
const LOOK_MS = 50;
/** One whose asker is gone may be about to end: to start a process costs as long. */
const GRACE_MS = 100;
/** Runs behind what serves requests when there are not enough cores for both. */
const NICENESS = 5;
const HEAP_MB = 384;

/** A process that runs SQL, one statement at a time; see sql.process.ts. */
export class SqlProcess {
  private readonly child: ChildProcess;
  private readonly channel: Socket | undefined;
  private readonly waiting: Job[] = [];
  private running: Job | null = null;
  private ended: Error | null = null;
  private chunks: Buffer[] = [];
  private bytes = 0;
  private watch: NodeJS.Timeout | null = null;
  private beganMs = 0;
  /** Of the statement that runs: what was charged for it, and the process's clock at that. */
  private chargedMs = 0;
  private clockMs = 0;
  /** Connections that guests have in it. */
  connections = 0;
  idleSinceMs = performance.now();

  /** @param onEnd called once, when it is of no more use */
  constructor(private readonly onEnd: () => void) {
    const file = import.meta.url.endsWith('.ts') ? './sql.process.ts' : './sql.process.js';
    this.child = spawn(process.execPath, ['--no-warnings', `--max-old-space-size=${HEAP_MB}`, fileURLToPath(new URL(file, import.meta.url))], {
      env: { TMPDIR: tmpdir() }, stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    });
    this.child.on('error', () => this.end(new SqlError('io', 'the database cannot be reached')));
    // There is none when this process has as many files open as it may have.
    const channel = this.child.stdio?.[3] as Socket | undefined;
    if (!channel) throw new SqlError('io', 'the database cannot be reached');
    this.channel = channel;
    channel.on('data', (chunk: Buffer) => this.take(chunk));
    channel.on('error', () => undefined);
    this.child.on('exit', () => this.end(new SqlError('io', 'the process that ran the statement ended')));
    this.rest();
    try {
      setPriority(this.child.pid!, NICENESS);
    } catch {
      // It may be gone already.
    }
  }

  get load(): number {
    return this.waiting.length + (this.running ? 1 : 0);
  }

  get hasEnded(): boolean {
    return this.ended !== null;
  }

  /** `job` hears of it when it is done, in the order of asking. */
  run(job: Job): void {
    if (this.ended) return job.fail(this.ended);
    if (this.running) this.waiting.push(job);
    else this.begin(job);
  }

  /** Nobody waits for the job any more. One that runs is given a moment, then ended with the whole process. */
  abandon(job: Job): void {
    const at = this.waiting.indexOf(job);
    if (at >= 0) this.waiting.splice(at, 1);
    if (this.running !== job) return;
    setTimeout(() => {
      if (this.running === job) this.kill(new SqlLimit('wall', 'the statement took longer than it may'));
    }, GRACE_MS).unref();
  }

  close(connection: number): void {
    if (!this.ended) this.send({ close: connection });
  }

  /** Ends it now, with whatever runs and waits. */
  kill(error: Error): void {
    this.child.kill('SIGKILL');
    this.end(error);
  }

  private begin(job: Job): void {
    this.running = job;
    this.beganMs = performance.now();
    this.chargedMs = 0;
    this.child.ref();
    this.channel!.ref();
    this.watch ??= setInterval(() => this.look(), LOOK_MS).unref();
    this.send(job.request);
  }

  /** An idle one does not keep this process from ending. */
  private rest(): void {
    this.child.unref();
    this.channel!.unref();
    this.idleSinceMs = performance.now();
  }

  private send(message: ProcessRequest | { close: number }): void {
    const body = serialize(message);
    const frame = Buffer.allocUnsafe(4 + body.length);
    frame.writeUInt32LE(body.length);
    body.copy(frame, 4);
    this.channel!.write(frame);
  }

  private take(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.bytes += chunk.length;
    const first = this.chunks[0]!.length < 4 ? (this.chunks = [Buffer.concat(this.chunks)])[0]! : this.chunks[0]!;
    if (first.length < 4 || this.bytes < 4 + first.readUInt32LE()) return;
    const frame = this.chunks.length === 1 ? first : Buffer.concat(this.chunks);
    this.chunks = [];
    this.bytes = 0;
    const job = this.running!;
    const reply = deserialize(frame.subarray(4)) as ProcessReply;
    if (reply.cpuMs > this.chargedMs) job.charge?.(reply.cpuMs - this.chargedMs);
    this.running = null;
    const next = this.waiting.shift();
    if (next) this.begin(next);
    else this.rest();
    job.done(reply);
  }

  /** SQLite in Node has no limit of time or memory. */
  private look(): void {
    const { running } = this;
    if (!running) {
      clearInterval(this.watch!);
      this.watch = null;
      return;
    }
    try {
      const { residentBytes, cpuMs } = readUse(this.child.pid!);
      if (residentBytes > MAX_RESIDENT_BYTES) return this.kill(new SqlLimit('memory', `the statement needed more than ${MAX_RESIDENT_BYTES} bytes of memory`));
      const used = this.chargedMs === 0 ? Math.min(LOOK_MS, performance.now() - this.beganMs) : cpuMs - this.clockMs;
      this.clockMs = cpuMs;
      this.chargedMs += used;
      if (running.charge && running.charge(used) <= 0) this.kill(new SqlLimit('cpu', 'the statements of the invocation used up its CPU time'));
    } catch {
      // Only Linux has it.
    }
  }

  private end(error: Error): void {
    if (this.ended) return;
    // Whoever waits for another's statement did nothing wrong, and is told what became of the connection.
    this.ended = new SqlError('io', 'the connection to the database was lost');
    if (this.watch) clearInterval(this.watch);
    const jobs = this.waiting.splice(0);
    const { running } = this;
    this.running = null;
    this.channel?.destroy();
    this.onEnd();
    running?.fail(error);
    for (const job of jobs) job.fail(this.ended);
  }
}

/** What a process holds, and what its main thread has used, from procfs. */
function readUse(pid: number): { residentBytes: number; cpuMs: number } {
  const residentPages = Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]);
  const cpuNs = Number(readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ')[0]);
  return { residentBytes: residentPages * PAGE_BYTES, cpuMs: cpuNs / 1e6 };
}
