#!/usr/bin/env node
// npx whorl COMMAND: the command inside of a checkout. Prepares what is not up to date, with the Node.js that npm brought along.
import { become } from './lib/become.mjs';
import { at } from './lib/paths.mjs';
import { prepare } from './lib/prepare.mjs';

try {
  await prepare({ examples: [] });
  become(at('dist/bin/whorl.js'), process.argv.slice(2));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
