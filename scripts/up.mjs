// npm run up [-- FLAGS]: from a fresh clone to a running platform. Prepares what is not up to date, then becomes `whorl up`.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { at, NODE } from './lib/paths.mjs';
import { prepare } from './lib/prepare.mjs';

const EXAMPLE = 'hello-js';
const PARENT_CHECK_MS = 1_000;
const flags = process.argv.slice(2);
const wantsExample = !flags.includes('--no-example');

try {
  await prepare({ examples: wantsExample ? [EXAMPLE] : [] });
} catch (error) {
  console.error(error.message);
  process.exit(1);
}

const bundle = at('examples', EXAMPLE, `${EXAMPLE}.tar.gz`);
const child = spawn(NODE, [at('dist/bin/up.js'), ...flags, ...(wantsExample && existsSync(bundle) ? ['--example', bundle] : [])], {
  // The channel tells the platform when we are gone, however that came: it then stops in order.
  stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.once('error', (error) => {
  console.error(`cannot start ${NODE}: ${error.message}`);
  process.exitCode = 1;
});
child.once('exit', (code, signal) => process.exit(signal ? 1 : code));

// npm killed outright takes nobody along: notice it as a change of parent.
const parent = process.ppid;
if (process.env.npm_lifecycle_event) setInterval(() => { if (process.ppid !== parent) child.kill('SIGTERM'); }, PARENT_CHECK_MS).unref();
