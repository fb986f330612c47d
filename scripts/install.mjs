// Installs the dependencies as locked, when they are not installed yet.
import { installPackage } from './lib/install-package.mjs';
import { ROOT } from './lib/paths.mjs';

const done = await installPackage(ROOT, { say: () => console.log('installing dependencies') });
console.log(done ? 'installed' : 'dependencies are up to date');
