// Installs an npm package's dependencies exactly as locked, when they are not installed yet. Runs on Node >= 20 with nothing installed.
import { spawnSync } from 'node:child_process';
import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ATTEMPTS = 4;
const FIRST_WAIT_MS = 3_000;

/**
 * Returns whether anything had to be done. Throws when npm fails for good, and what it wrote has gone to stderr; or when node_modules is a
 * symbolic link.
 */
export async function installPackage(dir, { say = () => {} } = {}) {
  if (isInstalled(dir)) return false;
  // npm would delete what is in the folder that the link leads to, whoever else uses it.
  const modules = join(dir, 'node_modules');
  if (lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink()) {
    throw new Error(`${modules} is a symbolic link, and what it leads to is not what is locked here: remove the link, then try again`);
  }
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
  return true;
}

/** npm writes what it has installed as the last thing it does: compared with what is locked, nothing else needs to be remembered. */
function isInstalled(dir) {
  const installed = readJson(join(dir, 'node_modules', '.package-lock.json'))?.packages;
  if (!installed) return false;
  return Object.entries(readJson(join(dir, 'package-lock.json')).packages)
    .every(([path, { version, optional }]) => path === '' || (installed[path] ? installed[path].version === version : optional));
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
