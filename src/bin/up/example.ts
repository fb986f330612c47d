import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { z } from 'zod';

const SERVE_WITHIN_S = 60;
const TIMEOUT_MS = (SERVE_WITHIN_S + 30) * 1000;

const Pushed = z.object({ url: z.string(), state: z.string(), reason: z.object({ message: z.string() }).optional() });
const App = z.object({ url: z.string(), live: z.array(z.unknown()) });
const Versions = z.object({ items: z.array(z.object({ digest: z.string() })) });
const Problem = z.object({ detail: z.string() });

export interface ExampleOptions {
  /** Without a slash at the end. */
  api: string;
  token: string;
  /** The bundle. */
  file: string;
  stop: AbortSignal;
}

export interface DeployedExample {
  app: string;
  url: string;
}

/**
 * Deploys the bundle in `file`, through the API as anyone would, unless the app already has a version of these bytes (whatever it
 * serves now is what someone wanted). Throws an Error that says what the API answered.
 */
export async function deployExample({ api, token, file, stop }: ExampleOptions): Promise<DeployedExample> {
  const app = basename(file).replace(/\.tar\.gz$|\.tgz$/, '');
  const bytes = readFileSync(file);
  const base = `${api}/v1/apps/${encodeURIComponent(app)}`;
  const call = (url: string, init: RequestInit = {}) =>
    fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` }, signal: AbortSignal.any([stop, AbortSignal.timeout(TIMEOUT_MS)]) });

  const existing = await call(base);
  if (existing.ok) {
    const { url, live } = App.parse(await existing.json());
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    const { items } = Versions.parse(await (await call(`${base}/versions`)).json());
    if (live.length > 0 && items.some((version) => version.digest === digest)) return { app, url };
  }
  const answer = await call(`${base}/versions?wait=${SERVE_WITHIN_S}`, { method: 'POST', body: bytes, headers: { 'content-type': 'application/gzip' } });
  const body: unknown = await answer.json();
  if (!answer.ok) throw new Error(Problem.safeParse(body).data?.detail ?? `status ${answer.status}`);
  const { url, state, reason } = Pushed.parse(body);
  if (state !== 'serving') throw new Error(reason?.message ?? `it is ${state} after ${SERVE_WITHIN_S} s`);
  return { app, url };
}
