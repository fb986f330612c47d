// Builds one JavaScript app: source + world -> component -> bundle. Used by the build.mjs of each example.
import { copyFileSync, cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installPackage } from '../../scripts/lib/install-package.mjs';
import { whenChanged, writeBundle, writeWhole } from './bundle.mjs';

const TOOLCHAIN = fileURLToPath(new URL('.', import.meta.url));
/** The WIT of WASI 0.2.3, the version that the JavaScript engine inside the component is made for. */
const WASI_WIT = join(TOOLCHAIN, 'node_modules/@spinframework/wasi-http-proxy/wit/wasi-http@0.2.3.wit');

/**
 * `dir`: a folder with `<name>.js` and `wit/` whose world is called `world`. `packages`: folders with WIT packages that it needs besides WASI.
 * Makes `<name>.wasm` there when something changed, and gives its path.
 */
export async function buildJsComponent({ dir, name, world, packages = [] }) {
  const at = (path) => join(dir, path);
  const wasm = at(`${name}.wasm`);
  const wit = packages.flatMap((path) => filesBelow(dirname(path), basename(path)).map((file) => join(dirname(path), file)));
  const inputs = [at(`${name}.js`), ...filesBelow(dir, 'wit').map(at), ...wit, join(TOOLCHAIN, 'package-lock.json'), join(TOOLCHAIN, 'build-js.mjs')];
  await whenChanged(at('.build/component'), { inputs, outputs: [wasm] }, () => componentize(at, { source: at(`${name}.js`), world, wasm, packages }));
  return wasm;
}

/**
 * `dir`: the app's folder, with `<name>.js`, `spin.toml` and `wit/` whose world is called `world`. `assets`: folders and files that
 * the bundle carries along. Makes `<name>.wasm` and `<name>.tar.gz` there when something changed.
 */
export async function buildJsApp({ dir, name, world, assets = [] }) {
  const at = (path) => join(dir, path);
  const carried = assets.flatMap((path) => filesBelow(dir, path));
  const bundle = at(`${name}.tar.gz`);
  const wasm = await buildJsComponent({ dir, name, world });
  const inputs = [wasm, at('spin.toml'), ...carried.map(at), join(TOOLCHAIN, 'bundle.mjs')];
  const built = await whenChanged(at('.build/bundle'), { inputs, texts: carried, outputs: [bundle] }, () => {
    writeBundle(dir, ['spin.toml', `${name}.wasm`, ...carried], bundle);
  });
  console.log(`${built ? 'built' : 'up to date:'} ${bundle}`);
}

async function componentize(at, { source, world, wasm, packages }) {
  await installPackage(TOOLCHAIN, { say: () => console.log('installing the guest toolchain') });
  const wit = at('.build/wit');
  rmSync(wit, { recursive: true, force: true });
  cpSync(at('wit'), wit, { recursive: true });
  mkdirSync(join(wit, 'deps'), { recursive: true });
  copyFileSync(WASI_WIT, join(wit, 'deps', 'wasi.wit'));
  for (const path of packages) cpSync(path, join(wit, 'deps', basename(path)), { recursive: true });
  const { componentize: make } = await import('@bytecodealliance/componentize-js');
  const { component } = await make({ sourcePath: source, witPath: wit, worldName: world });
  writeWhole(wasm, component);
}

/** Files at or below `path`, relative to `dir`, in a fixed order. */
function filesBelow(dir, path) {
  const entries = readdirSync(join(dir, path, '..'), { withFileTypes: true });
  const entry = entries.find((one) => one.name === path.split('/').at(-1));
  if (!entry) throw new Error(`${join(dir, path)} is missing`);
  if (!entry.isDirectory()) return [path];
  return readdirSync(join(dir, path)).sort().flatMap((name) => filesBelow(dir, `${path}/${name}`));
}
