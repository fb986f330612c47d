import { AppName, VersionNumber } from '#contract/ids.js';
import type { ErrorCode, WhorlError } from '#contract/errors.js';
import type { Deadlines } from '#runtime/component/deadlines.js';
import type { ClientCall } from './client-call.js';
import { answerUnloaded } from './platform-answers.js';

const LABEL = /^v([1-9][0-9]{0,9})--([a-z0-9-]{1,63})$/;
/** Requests of one runner that wait for previews, at most. */
const MAX_WAITING = 512;

/** A version that is asked for by its own host. */
export interface AskedPreview {
  app: AppName;
  version: VersionNumber;
}

export interface PreviewOptions {
  /** Domain below which apps have their hosts. */
  appDomain: string;
  deadlines: Deadlines;
  /** Longer than a version takes to be fetched and prepared. */
  maxWaitMs: number;
  /** Resolves when this process serves the preview. Rejects with a WhorlError. */
  open(preview: AskedPreview): Promise<void>;
}

/** What a host is the preview of: `v<number>--<app>.<domain>`; undefined: of nothing. @param host lower case, without a port */
export function readPreviewHost(host: string, appDomain: string): AskedPreview | undefined {
  const found = host.endsWith(`.${appDomain}`) ? LABEL.exec(host.slice(0, -appDomain.length - 1)) : null;
  // Most hosts. A refusal of the schemas costs as much as a request that is handed over, and is what all of those would pay.
  if (!found) return undefined;
  const [, digits, name] = found;
  const [version, app] = [VersionNumber.safeParse(Number(digits)), AppName.safeParse(name)];
  return version.success && app.success ? { version: version.data, app: app.data } : undefined;
}

/** Requests for versions by themselves, which are fetched and started when they are asked for. */
export class PreviewArrivals {
  private readonly opening = new Map<string, Promise<void>>();
  private readonly tried = new WeakSet<ClientCall>();
  private waiting = 0;

  constructor(private readonly options: PreviewOptions) {}

  /**
   * Calls `go` when the preview that the host stands for is served here and the client still there; answers for the platform when that does not come. False when the
   * host is that of no preview, or the request has waited for it before.
   */
  wait(call: ClientCall, host: string, go: () => void): boolean {
    const { appDomain, deadlines, maxWaitMs } = this.options;
    const asked = this.tried.has(call) ? undefined : readPreviewHost(host, appDomain.toLowerCase());
    if (!asked) return false;
    this.tried.add(call);
    if (this.waiting >= MAX_WAITING) {
      answerUnloaded(call, 'COMPONENT_BUSY');
      return true;
    }
    this.waiting++;
    let waits = true;
    const leave = (): boolean => {
      if (!waits) return false;
      waits = false;
      this.waiting--;
      deadlines.remove(late);
      return !call.response.closed;
    };
    const refuse = (code: ErrorCode): void => {
      if (leave()) answerUnloaded(call, code);
    };
    const late = { deadlineAt: Date.now() + maxWaitMs, expire: () => refuse('NODE_PREPARE_TIMEOUT') };
    deadlines.add(late);
    this.open(host, asked).then(() => leave() && go(), (error: WhorlError) => refuse(error.code));
    return true;
  }

  /** Who asks meanwhile shares the answer. */
  private open(host: string, asked: AskedPreview): Promise<void> {
    let opening = this.opening.get(host);
    if (!opening) {
      opening = this.options.open(asked).finally(() => this.opening.delete(host));
      this.opening.set(host, opening);
    }
    return opening;
  }
}
