// node compatibility-doc.mjs <folder of calls> <report of Jest>: docs/compatibility.md, what guests may import, function by function, and which of it a
// guest called in a test that passed. `npm test` writes the file anew when it ran everything, and fails when that changed it: a function that no guest
// calls any more does not go unnoticed.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CAPABILITIES } from '../dist/runtime/capability/table.js';
import { at } from './lib/paths.mjs';
import { spinAnswers } from './lib/spin-interfaces.mjs';

const PASSED = '✓';
const ABSENT = '–';

/**
 * The functions that guests called in passed tests, as `interface@version name` of the capability table.
 * `folder`: what the tests noted (test/fixtures/interface-calls.ts); `report`: Jest's own.
 */
function passedCalls(folder, report) {
  const passed = new Set(report.testResults.flatMap(({ assertionResults }) => assertionResults.filter(({ status }) => status === 'passed').map(({ fullName }) => fullName)));
  const calls = new Set();
  for (const file of readdirSync(folder)) {
    for (const line of readFileSync(join(folder, file), 'utf8').split('\n').filter(Boolean)) {
      const { iface, name, test } = JSON.parse(line);
      if (passed.has(test)) calls.add(`${lineOf(iface)} ${name}`);
    }
  }
  return calls;
}

/** `wasi:http/types@0.2.3` -> `wasi:http/types@0.2`, as the table has it. */
const lineOf = (iface) => iface.replace(/@(0\.[23])\.\d+$/, '@$1');

/** The page. `capabilities`: the runtime's table; `calls`: of `passedCalls`. */
function compatibilityPage(capabilities, calls) {
  const packages = Map.groupBy([...capabilities].sort(byName), ({ name }) => name.split('/')[0]);
  return [
    '# What a component may import',
    '',
    'One table for each interface: its functions, and the versions in which they are answered. Written by `npm test` from the capability table of the',
    `runtime and from the test run: ${PASSED} means that a component called the function in a test that passed; ${ABSENT} that this version has no such`,
    'function. *Spin* says which versions Spin 4.0 answers, or only its main branch, or behind a flag. An import that is not on this page is refused at',
    'push, by name (`REGISTRY_IMPORT_UNKNOWN`). `0.2.x` and `0.3.x` stand for every release of that line; resources are dropped like functions.',
    '',
    ...[...packages].flatMap(([name, interfaces]) => [`## ${name}`, '', ...sections(interfaces, calls)]),
    ...EXPORTS,
  ].join('\n');
}

function sections(interfaces, calls) {
  return [...Map.groupBy(interfaces, ({ name }) => name)].flatMap(([name, versions]) => section(name, versions, calls));
}

function section(name, versions, calls) {
  const idOf = ({ version }) => (version === null ? name : `${name}@${version}`);
  const functions = [...new Set(versions.flatMap((each) => Object.keys(each.functions)))].filter((each) => !each.startsWith('[resource-drop]')).sort(byFunction);
  const row = (cells) => `| ${cells.join(' | ')} |`;
  const stateOf = (each, name) => (!(name in each.functions) ? ABSENT : calls.has(`${idOf(each)} ${name}`) ? PASSED : 'not called');
  return [
    row([name, ...versions.map(({ version }) => (version === null ? 'without version' : /^0\.[23]$/.test(version) ? `${version}.x` : version))]),
    `|---|${':-:|'.repeat(versions.length)}`,
    row(['*Spin*', ...versions.map((each) => `*${spinAnswers(idOf(each))}*`)]),
    ...(functions.length > 0 ? functions.map((each) => row([`\`${each}\``, ...versions.map((version) => stateOf(version, each))])) : [row(['types alone', ...versions.map(() => PASSED)])]),
    '',
  ];
}

const bare = (name) => name.replace(/^\[[a-z]+\]/, '');
const byFunction = (a, b) => bare(a).localeCompare(bare(b), 'en');
const byName = (a, b) => a.name.localeCompare(b.name, 'en') || ordered(a.version).localeCompare(ordered(b.version), 'en');
/** No version first, then candidates, then what they became. */
const ordered = (version) => (version === null ? '' : /^0\.[23]$/.test(version) ? `${version}.9` : version);

const EXPORTS = [
  '## What a component may export',
  '',
  'One HTTP handler; [manifest.md](manifest.md) has the rest.',
  '',
  '| handler | Whorl | Spin |',
  '|---|---|---|',
  '| `wasi:http/handler@0.3.x`, `@0.3.0-rc-2026-03-15` | yes | main (4.1); the candidate since 4.0 |',
  '| `wasi:http/incoming-handler@0.2.x`, `@0.2.0-rc-2023-11-10`, `@0.2.0-rc-2023-10-18` | yes | yes |',
  '| `fermyon:spin/inbound-http` | yes | yes |',
  '| `wasi:cli/run`, with `executor = { type = "wagi" }` | yes | yes |',
  '| any of them from a core module (with `wasi_snapshot_preview1`), which is made a component at push | yes | yes |',
  '',
];

const [folder, report] = process.argv.slice(2);
const path = at('docs/compatibility.md');
const page = compatibilityPage(CAPABILITIES, passedCalls(folder, JSON.parse(readFileSync(report, 'utf8'))));
const isNew = !existsSync(path) || readFileSync(path, 'utf8') !== page;
if (isNew) {
  writeFileSync(path, page);
  console.error('docs/compatibility.md changed with this run: look at it, and commit it');
  process.exitCode = 1;
}
