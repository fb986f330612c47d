// Installs an npm package's dependencies exactly as locked, when they are not installed yet. Runs on Node >= 20 with nothing installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ATTEMPTS = 4;
const FIRST_WAIT_MS = 3_000;

/** Returns whether anything had to be done. Throws when npm fails for good; what it wrote has gone to stderr. */
export async function installPackage(dir, { say = () => {} } = {}) {
  const stamp = join(dir, 'node_modules', '.installed-lock');
  const wanted = fingerprint(dir);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return false;
  say();
  for (let attempt = 1; ; attempt++) {
    // Without these npm asks the network for advisories and adverts; --prefer-offline takes what the cache has unasked.
    const { status, error } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'], {
      cwd: dir, stdio: ['ignore', 'ignore', 'inherit'], shell: process.platform === 'win32',
    });
    if (status === 0) break;
    if (error) throw new Error(`npm does not run: ${error.message}`);
    if (attempt === ATTEMPTS) throw new Error(`npm ci failed in ${dir} (exit status ${status})`);
    const waitMs = FIRST_WAIT_MS * 2 ** (attempt - 1);
    console.error(`npm ci failed (exit status ${status}); once more in ${waitMs / 1000} s`);
    await sleep(waitMs);
  }
  writeFileSync(stamp, wanted);
  return true;
}

/** What decides the content of node_modules. */
function fingerprint(dir) {
  const hash = createHash('sha256');
  for (const file of ['package.json', 'package-lock.json']) hash.update(readFileSync(join(dir, file)));
  return hash.update(`${process.platform} ${process.arch}`).digest('hex');
}
