// Adds to package-lock.json the optional packages of other platforms that npm left out, because a registry did not have them when
// the lock was made: `npm ci` refuses a lock without them, on every platform. Run it after adding a dependency; `--check` only looks.
// `node scripts/complete-lock.mjs FOLDER`: the lock of a package in another folder.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'openharmony', 'sunos', 'win32'];
const CPU = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64', 'wasm32'];

const folder = process.argv.slice(2).find((argument) => !argument.startsWith('--')) ?? fileURLToPath(new URL('..', import.meta.url));
const file = join(folder, 'package-lock.json');
const lock = JSON.parse(readFileSync(file, 'utf8'));
const missing = findMissing(lock.packages);

if (process.argv.includes('--check')) {
  for (const { name, by } of missing) console.error(`package-lock.json lacks ${name}, which ${by} names: run node scripts/complete-lock.mjs`);
  process.exitCode = missing.length > 0 ? 1 : 0;
} else {
  for (const { name, version } of missing) lock.packages[`node_modules/${name}`] = entry(name, version);
  const [[root, own], ...others] = Object.entries(lock.packages);
  others.sort(([a], [b]) => a.localeCompare(b, 'en'));
  lock.packages = Object.fromEntries([[root, own], ...others]);
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`${missing.length} added`);
}

function findMissing(packages) {
  return Object.entries(packages).flatMap(([by, { optionalDependencies = {} }]) =>
    Object.entries(optionalDependencies)
      .filter(([name]) => !resolves(packages, by, name))
      .map(([name, version]) => ({ name, version, by: by || 'package.json' })),
  );
}

/** As Node looks for modules: beside the package, then outwards. */
function resolves(packages, from, name) {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('node_modules/') - 1))) {
    if (packages[`${at ? `${at}/` : ''}node_modules/${name}`]) return true;
    if (at === '') return false;
  }
}

/** os, cpu and libc keep npm from fetching it where it does not belong. */
function entry(name, version) {
  if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error(`${name}: ${version} is no exact version`);
  const parts = name.split('/').at(-1).split('-');
  const os = OS.find((one) => parts.includes(one)) ?? (parts.includes('windows') ? 'win32' : undefined);
  const cpu = CPU.find((one) => parts.includes(one)) ?? (parts.includes('64') ? 'x64' : undefined);
  if (!os && cpu !== 'wasm32') throw new Error(`${name}: no platform in its name`);
  const libc = parts.includes('musl') ? 'musl' : parts.includes('gnu') && os === 'linux' ? 'glibc' : undefined;
  return { version, optional: true, ...(os && { os: [os] }), ...(cpu && { cpu: [cpu] }), ...(libc && { libc: [libc] }) };
}
