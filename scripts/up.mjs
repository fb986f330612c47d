// npm run up [-- FLAGS]: from a fresh clone to a running platform. Prepares what is not up to date, then becomes `whorl up`.
import { existsSync } from 'node:fs';
import { become } from './lib/become.mjs';
import { at } from './lib/paths.mjs';
import { prepare } from './lib/prepare.mjs';

const EXAMPLE = 'hello-js';
const flags = process.argv.slice(2);
const wantsExample = !flags.includes('--no-example');

try {
  await prepare({ examples: wantsExample ? [EXAMPLE] : [] });
} catch (error) {
  console.error(error.message);
  process.exit(1);
}

const bundle = at('examples', EXAMPLE, `${EXAMPLE}.tar.gz`);
become(at('dist/bin/up.js'), [...flags, ...(wantsExample && existsSync(bundle) ? ['--example', bundle] : [])]);
