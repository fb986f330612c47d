// npm run build [-- EXAMPLE…]: installs and compiles what is not up to date.
import { prepare } from './lib/prepare.mjs';

try {
  const { failed } = await prepare({ examples: process.argv.slice(2) });
  process.exitCode = failed.length > 0 ? 1 : 0;
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
