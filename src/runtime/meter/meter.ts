import type { LimitCode } from '#contract/errors/component.js';
import type { AppName, ChannelName, VersionNumber } from '#contract/ids.js';
import { isSynthetic, type JournalRecord, type LogRecord, type UsageRecord } from '#contract/journal.js';
import type { Journal } from './journal.js';
import type { UsageTally } from './usage-tally.js';

/** Whose usage it is: one component of one version of an app's channel. */
export interface MeterSource {
  org: string;
  app: AppName;
  channel: ChannelName;
  version: VersionNumber;
  component: string;
}

/** What one invocation used. `requests` is 0 for an attempt that is made again elsewhere. */
export interface InvocationUsage {
  requests: number;
  errors: number;
  wallMs: number;
  cpuMs: number;
  bytesIn: number;
  bytesOut: number;
}

/** Usage is added up over at most this long before it is written; what a crash can lose. */
const SPAN_MS = 50;
/** Lines of log are written at once when there are this many. */
const MAX_PENDING_LOGS = 200;

/** Adds up invocations of one (version, component, trigger) until the meter writes them. Made once, added to for each invocation. */
export class UsageCounter {
  private requests = 0;
  private errors = 0;
  private wallMs = 0;
  private cpuMs = 0;
  private bytesIn = 0;
  private bytesOut = 0;
  private limits: Partial<Record<LimitCode, number>> | null = null;
  private dirty = false;

  constructor(private readonly meter: Meter, private readonly source: MeterSource, private readonly trigger: string) {}

  add(usage: InvocationUsage): void {
    this.requests += usage.requests;
    this.errors += usage.errors;
    this.wallMs += usage.wallMs;
    this.cpuMs += usage.cpuMs;
    this.bytesIn += usage.bytesIn;
    this.bytesOut += usage.bytesOut;
    this.change();
  }

  /** A limit struck; once for an invocation. */
  strike(code: LimitCode): void {
    this.limits ??= {};
    this.limits[code] = (this.limits[code] ?? 0) + 1;
    this.change();
  }

  /** Hands over what was added up, and begins anew. */
  take(at: number): UsageRecord {
    const { requests, errors, bytesIn, bytesOut } = this;
    const record: UsageRecord = {
      kind: 'usage', at, ...this.source, trigger: this.trigger, requests, errors, wallMs: round(this.wallMs), cpuMs: round(this.cpuMs), bytesIn, bytesOut,
      ...(this.limits && { limits: this.limits }),
    };
    this.limits = null;
    this.requests = this.errors = this.wallMs = this.cpuMs = this.bytesIn = this.bytesOut = 0;
    this.dirty = false;
    return record;
  }

  private change(): void {
    if (!this.dirty) {
      this.dirty = true;
      this.meter.changed(this);
    } else {
      this.meter.touch();
    }
  }
}

/** Collects usage and logs of one runner and writes them to its journal, one write for each span. */
export class Meter {
  private counters: UsageCounter[] = [];
  private logs: LogRecord[] = [];
  private timer: NodeJS.Timeout | null = null;
  private since = 0;

  /** @param tally what is also told of everything that is written */
  constructor(private readonly journal: Pick<Journal, 'append' | 'close'>, private readonly tally: UsageTally | null = null) {}

  counter(source: MeterSource, trigger: string): UsageCounter {
    return new UsageCounter(this, source, trigger);
  }

  log(record: LogRecord): void {
    this.logs.push(record);
    if (this.logs.length >= MAX_PENDING_LOGS) this.flush();
    else this.touch();
  }

  changed(counter: UsageCounter): void {
    this.counters.push(counter);
    this.touch();
  }

  /** The timer alone would not do: it waits while a guest holds the thread. */
  touch(): void {
    if (!this.timer) {
      this.since = performance.now();
      this.timer = setTimeout(() => this.flush(), SPAN_MS / 2);
    } else if (performance.now() - this.since > SPAN_MS) {
      this.flush();
    }
  }

  flush(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    if (this.counters.length === 0 && this.logs.length === 0) return;
    const at = Date.now();
    const records: JournalRecord[] = this.logs;
    for (const counter of this.counters) {
      const record = counter.take(at);
      // The metrics are of what clients get.
      if (!isSynthetic(record.trigger)) this.tally?.add(record);
      records.push(record);
    }
    this.counters = [];
    this.logs = [];
    this.journal.append(records);
  }

  close(): void {
    this.flush();
    this.journal.close();
  }
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
