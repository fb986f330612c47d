// node build.mjs [DIGIT]: tiny-wat.wasm and tiny-wat.tar.gz. With a DIGIT other than 1 the text differs by that one byte and the
// bundle is tiny-wat-DIGIT.tar.gz: a second version to roll out. Needs what the platform itself has installed, nothing more.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco';
import { whenChanged, writeBundle, writeWhole } from '../toolchain/bundle.mjs';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const version = process.argv[2] ?? '1';
if (!/^[0-9]$/.test(version)) throw new Error('usage: node build.mjs [DIGIT]');

const wasm = at('tiny-wat.wasm');
const bundle = at(version === '1' ? 'tiny-wat.tar.gz' : `tiny-wat-${version}.tar.gz`);
const inputs = [at('build.mjs'), at('tiny.wat'), at('wit/tiny.wit'), at('spin.toml'), at('../toolchain/bundle.mjs')];

const built = await whenChanged(at('.build/stamp'), { inputs, texts: [version], outputs: [wasm, bundle] }, async () => {
  const wat = readFileSync(at('tiny.wat'), 'utf8').replace('hello from tiny 1', `hello from tiny ${version}`);
  const core = await componentEmbed({ binary: await parse(wat), witSource: readFileSync(at('wit/tiny.wit'), 'utf8'), world: 'tiny' });
  writeWhole(wasm, await componentNew(core, []));
  writeBundle(at('.'), ['spin.toml', 'tiny-wat.wasm'], bundle);
});
console.log(`${built ? 'built' : 'up to date:'} ${bundle}`);
