import type { ErrorCode, WhorlError } from '#contract/errors.js';
import type { Deadlines } from '#runtime/component/deadlines.js';
import type { AppVersion } from './app-version.js';
import type { ClientCall } from './client-call.js';
import { answerUnloaded } from './platform-answers.js';

/** Requests that wait for one version, at most. */
const MAX_ARRIVING = 512;

export interface ArrivalOptions {
  deadlines: Deadlines;
  /** As long as an invocation may take. */
  maxWaitMs: number;
  onUnloadable(version: AppVersion, error: WhorlError): void;
}

/** Requests for versions that are not loaded: the first has it loaded, and all go on when it is. */
export class Arrivals {
  constructor(private readonly options: ArrivalOptions) {}

  /** Calls `go` when the version is loaded and the client still there; answers for the platform when that does not come. */
  wait(version: AppVersion, call: ClientCall, go: () => void): void {
    const { deadlines, maxWaitMs, onUnloadable } = this.options;
    if (version.arriving >= MAX_ARRIVING) return answerUnloaded(call, 'COMPONENT_BUSY');
    version.arriving++;
    let waits = true;
    const leave = (): boolean => {
      if (!waits) return false;
      waits = false;
      version.arriving--;
      deadlines.remove(late);
      return !call.response.closed;
    };
    const refuse = (code: ErrorCode): void => {
      if (leave()) answerUnloaded(call, code);
    };
    const late = { deadlineAt: Date.now() + maxWaitMs, expire: () => refuse('COMPONENT_WALL_LIMIT') };
    deadlines.add(late);
    const isFirst = version.arriving === 1;
    version.load().then(
      () => leave() && go(),
      (error: WhorlError) => {
        if (isFirst) onUnloadable(version, error);
        refuse(error.code);
      },
    );
  }
}
