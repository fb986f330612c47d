// Installs an npm package's dependencies exactly as locked, when they are not installed yet. Runs on Node >= 20 with nothing installed.
import { spawnSync } from 'node:child_process';
import { linkSync, lstatSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ATTEMPTS = 4;
const FIRST_WAIT_MS = 3_000;
const POLL_MS = 200;

/**
 * Returns whether anything had to be done; processes that ask for the same at the same time do it once. Throws when npm fails for good, and what it wrote has gone to stderr; or when node_modules is a
 * symbolic link.
 */
export async function installPackage(dir, options = {}) {
  // npm empties the folder first: whoever goes by what another process is installing would read half of it.
  return !isInstalled(dir) && alone(join(dir, '.installing'), () => install(dir, options));
}

async function install(dir, { say = () => {} }) {
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

/** Runs `work` while no other process runs one under the same file, which holds the id of the one that does. */
async function alone(file, work) {
  // Linked to its name, the file is there with its text or not at all.
  const own = `${file}.${process.pid}`;
  writeFileSync(own, `${process.pid}`);
  try {
    while (!isFirst(own, file)) {
      if (isLeft(file)) rmSync(file, { force: true });
      else await sleep(POLL_MS);
    }
    try {
      return await work();
    } finally {
      rmSync(file, { force: true });
    }
  } finally {
    rmSync(own, { force: true });
  }
}

function isFirst(own, file) {
  try {
    linkSync(own, file);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Whether the process that made the file is gone. */
function isLeft(file) {
  const pid = Number(readText(file));
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
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
    return JSON.parse(readText(file));
  } catch {
    return undefined;
  }
}

function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
