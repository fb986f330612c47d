// Compiles the platform into dist/ when its sources differ from the last time.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { at } from './paths.mjs';
import { mustRunNode } from './run.mjs';

const GENERATED = 'src/platform/prisma/generated';
const WARM_UP = ['scripts/lib/build-warm-up.mjs', 'examples/tiny-wat/tiny.wat', 'examples/tiny-wat/wit/tiny.wit'];

/** Returns whether anything had to be done. */
export async function buildPlatform({ say = () => {} } = {}) {
  const schema = fingerprint(['prisma/schema.prisma', 'prisma.config.ts', 'package-lock.json']);
  const schemaStamp = at('dist/.stamp-schema');
  if (!matches(schemaStamp, schema) || !existsSync(at(GENERATED))) {
    say('generating the database client');
    // Prisma would download its engine; generating needs none, only a path that exists.
    await mustRunNode('prisma generate', [at('node_modules/prisma/build/index.js'), 'generate'], { env: { PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: '1' } });
    write(schemaStamp, schema);
  }
  const sources = fingerprint(['tsconfig.json', 'package.json', 'package-lock.json', ...WARM_UP, ...filesBelow('src').filter((path) => !path.endsWith('.spec.ts'))]);
  const stamp = at('dist/.stamp-sources');
  if (matches(stamp, sources)) return false;
  say('compiling the platform');
  rmSync(stamp, { force: true });
  removeOrphans();
  await mustRunNode('tsc', [at('node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json']);
  await mustRunNode('building the warm-up app', [at(WARM_UP[0])]);
  write(stamp, sources);
  return true;
}

/** Of paths and contents. */
function fingerprint(paths) {
  const hash = createHash('sha256');
  for (const path of paths) hash.update(`${path}\0`).update(readFileSync(at(path))).update('\0');
  return hash.digest('hex');
}

const matches = (stamp, wanted) => existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;

function write(stamp, text) {
  mkdirSync(at('dist'), { recursive: true });
  writeFileSync(stamp, text);
}

function filesBelow(folder) {
  return readdirSync(at(folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(at('').length))
    .sort();
}

/** What was compiled from a source that is gone would still be found by an import. The compiler's own memory must forget it too. */
function removeOrphans() {
  if (!existsSync(at('dist'))) return;
  const orphans = filesBelow('dist').filter((path) => /\.js(\.map)?$/.test(path) && !existsSync(at(path.replace(/^dist/, 'src').replace(/\.js(\.map)?$/, '.ts'))));
  for (const path of orphans) rmSync(at(path));
  if (!existsSync(at('dist/bin'))) rmSync(at('dist/.tsbuildinfo'), { force: true });
}
