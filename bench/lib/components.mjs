// The components that are measured: the examples, and small ones made of text.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco';
import { ROOT } from './platform.mjs';

const WORLDS = {
  tiny: { wit: 'examples/tiny-wat/wit/tiny.wit', world: 'tiny' },
  http02: { wit: 'test/fixtures/wit/http-02.wit', world: 'http-02' },
  http03: { wit: 'test/fixtures/wit/http-03.wit', world: 'http-03' },
};

async function fromWat(path, { wit, world }, edit = (wat) => wat) {
  const [wat, witSource] = await Promise.all([readFile(join(ROOT, path), 'utf8'), readFile(join(ROOT, wit), 'utf8')]);
  return componentNew(await componentEmbed({ binary: await parse(edit(wat)), witSource, world }), []);
}

const built = (path) => readFile(join(ROOT, path)).catch(() => {
  throw new Error(`${path} is not built: npm run build -- tiny-wat hello-js`);
});

/** What the rows call them, and how they are got. */
export const COMPONENTS = {
  tiny: () => built('examples/tiny-wat/tiny-wat.wasm'),
  json: () => built('bench/components/json-rs/json-rs.wasm'),
  js: () => built('examples/hello-js/hello-js.wasm'),
  'hello-03': () => fromWat('test/fixtures/wat/hello-03.wat', WORLDS.http03),
  'echo-03': () => fromWat('test/fixtures/wat/echo-03.wat', WORLDS.http03),
};

/** A component of a few kB that answers `text` (at most 16 ASCII characters). */
export const tinyComponent = (text) => fromWat('examples/tiny-wat/tiny.wat', WORLDS.tiny, (wat) => wat.replace('hello from tiny 1', text.padEnd(17)));

/** Loops for ever on /loop, traps on /trap. */
export const loopComponent = () => fromWat('test/fixtures/wat/loop.wat', WORLDS.tiny);

/** Asks the component `back` and waits for its answer on a stack of its own. */
export const forwardComponent = () => fromWat('test/fixtures/wat/forward-02.wat', WORLDS.http02);

/** The same with other bytes: a custom section changes the digest of a component or a module, and nothing else. */
export function withSection(bytes, text) {
  const payload = Buffer.from(`\x05bench${text}`, 'latin1');
  if (payload.length > 127) throw new Error('text too long');
  return Buffer.concat([bytes, Buffer.from([0, payload.length]), payload]);
}
