import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import type { AppName, ChannelName, Digest } from '#contract/ids.js';
import { NO_RUNTIME_GRANT } from '#contract/runtime-grant.js';
import type { StoredVersion } from './stored-version.js';
import type { AppLane } from './version-host.js';

/** An app that came with Whorl, as a node keeps versions for its runners. */
export interface WarmUpApp {
  stored: StoredVersion;
  blobPath(digest: Digest): string;
}

/** From a folder with a file for each blob, named by its digest, and `stored.json`; see scripts/lib/build-warm-up.mjs. Throws as `fs` does. */
export async function readWarmUpApp(dir: string): Promise<WarmUpApp> {
  return {
    stored: JSON.parse(await readFile(join(dir, 'stored.json'), 'utf8')) as StoredVersion,
    blobPath: (digest) => join(dir, digest.replace(':', '-')),
  };
}

/** No app has an empty name, and no app's domain ends in `.invalid` (RFC 2606 §2). */
export function toWarmUpLane({ version }: StoredVersion): AppLane {
  return {
    org: '', app: '' as AppName, channel: '' as ChannelName, generation: 1, hosts: ['warm-up.invalid'], serve: [{ version, percent: 100 }],
    variables: {}, variablesRevision: 1, runtime: NO_RUNTIME_GRANT,
  };
}

/** Sends a request on a connection that ends in this process. Throws unless the answer is a 200. */
export async function askInProcess(server: Server, host: string): Promise<void> {
  const [client, accepted] = duplexPair();
  server.emit('connection', accepted);
  client.setEncoding('latin1');
  let answer = '';
  client.on('data', (text: string) => {
    answer += text;
  });
  client.write(`GET / HTTP/1.1\r\nhost: ${host}\r\naccept: */*\r\nconnection: close\r\n\r\n`);
  await once(client, 'end');
  client.end();
  if (!answer.startsWith('HTTP/1.1 200 ')) throw new Error(`the answer was ${answer.slice(0, 100)}`);
}
