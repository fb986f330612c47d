import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';

/** The benchmark does a million; what leaks one thing for a request shows in so many too. */
const REQUESTS = 60_000;
const run = promisify(execFile);
const SURVIVAL = fileURLToPath(new URL('../../bench/survival.mjs', import.meta.url));

it('keeps memory and handles flat over requests that are answered, trap, loop, wait, or lose their client', async () => {
  const { stdout } = await run(process.execPath, ['--no-warnings', SURVIVAL, String(REQUESTS)]);
  expect(stdout).toContain(`${REQUESTS} requests`);
}, 120_000);
