// node bench/signed-snapshot.mjs [ASSIGNMENTS]: what it costs a node, when it starts from its snapshot, that every assignment is signed. Reads one file with
// and without keys to believe, several times in turn; the artifacts are as large as those of a small JavaScript app. Needs a build.
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canonicalJson } from '../dist/contract/statement.js';
import { Log } from '../dist/platform/log.js';
import { keyHash } from '../dist/platform/tls/key-hash.js';
import { signStatement } from '../dist/platform/tls/statement-signature.js';
import { Snapshot } from '../dist/runtime/node/snapshot.js';
import { Statements } from '../dist/runtime/node/statements.js';

const ROUNDS = 5;
const count = Number(process.argv[2] ?? 10_000);
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const key = keyHash(publicKey);
const trust = { keys: [{ id: key, publicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64') }] };
const log = new Log({}, 'error');
const digest = (text) => `sha256:${Buffer.from(text).toString('hex').padEnd(64, '0').slice(0, 64)}`;
const names = (prefix, n) => Array.from({ length: n }, (_, i) => `wasi:${prefix}/interface-${i}@0.2.3`);

/** One version, with what is known of a component that was made of JavaScript. */
const artifact = (version) => ({
  version, digest: digest(`v${version}`),
  app: { name: 'app', version: '1', description: '', authors: [], variables: {}, triggers: [], components: [] },
  builds: { main: { engine: '3', plan: digest('plan'), component: digest('component'), modules: [digest('a'), digest('b'), digest('c')], handlers: ['wasi-http-0.2'], imports: names('imports', 30), exports: names('exports', 4), componentized: false } },
});
const assignment = (i) => ({
  org: 'default', app: `app-${i}`, channel: 'production', generation: 3, hosts: [`app-${i}.localhost`], serve: [{ version: 2, percent: 100 }], versions: [artifact(1), artifact(2)],
  variables: { greeting: 'hello', endpoint: `https://service-${i}.example` }, variablesRevision: 1, runtime: { variablesProviders: [], keyValueStores: {}, sqliteDatabases: {}, llm: null },
  placement: 1,
});

const dir = mkdtempSync(join(tmpdir(), 'whorl-bench-'));
const path = join(dir, 'snapshot.json');
try {
  const { Assignment } = await import('../dist/contract/assignment.js');
  const signing = performance.now();
  const lines = Array.from({ length: count }, (_, i) => {
    const value = Assignment.parse({ ...assignment(i), runtime: undefined });
    return JSON.stringify({ assignment: value, signedBy: { key, signature: signStatement(privateKey, 'assignment', canonicalJson(value)) } });
  });
  const signedMs = performance.now() - signing;
  writeFileSync(path, `${lines.join('\n')}\n{"revision":"a"}\n`);
  const load = async (believed) => {
    const begun = performance.now();
    const held = await new Snapshot(path, '1', new Statements(() => believed), log).load();
    if (held.assignments.length !== count) throw new Error(`${held.assignments.length} of ${count} count`);
    return performance.now() - begun;
  };
  const [plain, signed] = [[], []];
  for (let i = 0; i < ROUNDS; i++) {
    plain.push(await load(undefined));
    signed.push(await load(trust));
  }
  const best = (times) => Math.min(...times);
  console.log(`${count} assignments, ${(statSync(path).size / 1e6).toFixed(1)} MB: signed in ${signedMs.toFixed(0)} ms`);
  console.log(`read without keys to believe ${best(plain).toFixed(0)} ms, with ${best(signed).toFixed(0)} ms: ${(best(signed) - best(plain)).toFixed(0)} ms more, ${((best(signed) - best(plain)) * 1000 / count).toFixed(0)} µs each`);
} finally {
  rmSync(dir, { recursive: true });
}
