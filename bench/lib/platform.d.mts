import type { ChildProcess } from 'node:child_process';

export const ROOT: string;
export function freePort(): Promise<number>;
export function startPlatform(options?: { env?: Record<string, string>; dataDir?: string; root?: string }): Promise<Platform>;

export interface Platform {
  readonly dir: string;
  readonly child: ChildProcess;
  readonly apiPort: number;
  readonly httpPort: number;
  readonly token: string;
  readonly api: string;
  /** Answers the parsed JSON; throws on a status of 400 and above. */
  // oxlint-disable-next-line no-explicit-any -- answers are checked against the OpenAPI document elsewhere
  call(method: string, path: string, options?: { body?: BodyInit; headers?: Record<string, string> }): Promise<any>;
  // oxlint-disable-next-line no-explicit-any -- as above
  push(app: string, bundle: Uint8Array, query?: string): Promise<any>;
  stop(): Promise<void>;
}
