// node build.mjs: counter-js.wasm and counter-js.tar.gz, unless they are up to date.
import { fileURLToPath } from 'node:url';
import { buildJsApp } from '../toolchain/build-js.mjs';

await buildJsApp({ dir: fileURLToPath(new URL('.', import.meta.url)), name: 'counter-js', world: 'counter', assets: ['assets'] });
