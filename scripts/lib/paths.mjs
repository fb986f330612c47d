import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The Node.js that npm brought along; the one that runs a script may be older. */
export const NODE = join(ROOT, 'node_modules/.bin/node');
export const at = (...path) => join(ROOT, ...path);
