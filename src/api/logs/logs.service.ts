import { Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import type { ServerSentEvent } from '#platform/http/sse.js';
import { Wakeups } from '#platform/wakeups.js';
import { AppsService } from '../apps/apps.service.js';
import { logsTopic } from '../topics.js';
import { LogRepository, type LogSource } from './log.repository.js';
import type { LogLineView, LogsView } from './log.schema.js';

/** Lines read at once for a follower. */
const BATCH = 500;
/** How long one wait lasts before the follower's app is looked up again: a deleted app's stream ends. */
const LOOK_AGAIN_MS = 30_000;

/** Whose lines, by name; without a channel those of all. */
interface LogsOf {
  app: string;
  channel?: string | undefined;
}

@Injectable()
export class LogsService {
  constructor(
    private readonly repository: LogRepository,
    private readonly apps: AppsService,
    private readonly wakeups: Wakeups,
  ) {}

  /** Forgets lines older than the date. Answers how many. */
  removeBefore(date: Date): Promise<number> {
    return this.repository.removeBefore(date);
  }

  /** The last lines. Throws API_APP_NOT_FOUND. */
  async tail({ app: name, channel }: LogsOf, count: number): Promise<LogsView> {
    const app = await this.apps.get(name);
    return { lines: await this.repository.tail({ appId: app.id, channel }, count) };
  }

  /**
   * The last lines, or those after `lastEventId`, and then each as it comes. Throws API_APP_NOT_FOUND, and API_INPUT_INVALID for a
   * Last-Event-ID that is none of ours, before anything is sent.
   */
  async follow({ app: name, channel }: LogsOf, { tail, lastEventId }: { tail: number; lastEventId: string | undefined }): Promise<(signal: AbortSignal) => AsyncIterable<ServerSentEvent>> {
    const app = await this.apps.get(name);
    const after = lastEventId === undefined ? undefined : readId(lastEventId);
    return (signal) => this.events({ appId: app.id, channel, name }, { tail, after, signal });
  }

  private async *events({ name, ...source }: LogSource & { name: string }, { tail, after, signal }: { tail: number; after: bigint | undefined; signal: AbortSignal }): AsyncGenerator<ServerSentEvent> {
    const { appId } = source;
    let last = after;
    if (last === undefined) {
      last = await this.repository.lastId(appId);
      for (const line of await this.repository.tail(source, tail)) {
        yield toEvent(line);
        if (BigInt(line.id) > last) last = BigInt(line.id);
      }
    }
    while (!signal.aborted) {
      const from: bigint = last;
      const found = async (): Promise<LogLineView[] | undefined> => {
        const lines = await this.repository.after(source, from, BATCH);
        return lines.length > 0 ? lines : undefined;
      };
      const lines = await this.wakeups.wait([logsTopic(appId)], found, { timeoutMs: LOOK_AGAIN_MS, signal });
      if (!lines && !signal.aborted && !(await this.exists(appId, name))) return;
      for (const line of lines ?? []) {
        yield toEvent(line);
        last = BigInt(line.id);
      }
    }
  }

  private async exists(appId: string, name: string): Promise<boolean> {
    return this.apps.get(name).then((app) => app.id === appId, () => false);
  }
}

function readId(text: string): bigint {
  if (!/^\d{1,18}$/.test(text)) throw new WhorlError('API_INPUT_INVALID', 'Last-Event-ID: not the id of a log line', { fields: { 'Last-Event-ID': ['not the id of a log line'] } });
  return BigInt(text);
}

const toEvent = (line: LogLineView): ServerSentEvent => ({ id: line.id, data: line });
