// npm test [-- JEST ARGUMENTS]: installs, builds, checks, tests; says what it left out. The last line is `N passed, N failed` over tests and checks.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { at } from './lib/paths.mjs';
import { prepare } from './lib/prepare.mjs';
import { runNode, seconds } from './lib/run.mjs';

/** The dependency rules hold for what they looked at: a tool that sees nothing finds nothing wrong. Raise it as the platform grows. */
const MIN_MODULES = 300;
/** One more than there are cores: many tests wait for disks and for processes to start. */
const WORKERS = Math.min(availableParallelism() + 1, 5);
const EXAMPLES = ['hello-js', 'counter-js', 'tiny-wat'];

const total = { passed: 0, failed: 0 };

/** `check` returns '' or what is wrong. */
async function step(name, check) {
  const from = performance.now();
  let problem;
  try {
    problem = await check();
  } catch (error) {
    problem = error.message;
  }
  if (problem) console.log(problem.trimEnd());
  console.log(`${problem ? 'FAIL' : 'ok  '} ${name} (${seconds(from)})`);
  total[problem ? 'failed' : 'passed'] += 1;
  return !problem;
}

async function succeeds(args, options) {
  const { status, output } = await runNode(args, options);
  return status === 0 ? '' : output || `exit status ${status}`;
}

async function dependencyRules() {
  const { output } = await runNode([at('node_modules/dependency-cruiser/bin/dependency-cruiser.mjs'), 'src', '--config', '.dependency-cruiser.mjs', '--output-type', 'json']);
  let summary;
  try {
    ({ summary } = JSON.parse(output));
  } catch {
    return output || 'the dependency rules were not checked';
  }
  if (summary.totalCruised < MIN_MODULES) return `only ${summary.totalCruised} modules were looked at, at least ${MIN_MODULES} exist`;
  return summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`).join('\n');
}

async function tests({ report, calls }) {
  mkdirSync(calls);
  const args = [at('node_modules/jest/bin/jest.js'), `--maxWorkers=${WORKERS}`, '--json', `--outputFile=${report}`, ...process.argv.slice(2)];
  const { status } = await runNode(args, { show: 'stderr', nodeOptions: '--experimental-vm-modules --no-warnings', env: { TEST_CALLS_DIR: calls } });
  const result = JSON.parse(readFileSync(report, 'utf8'));
  total.passed += result.numPassedTests;
  total.failed += result.numFailedTests + result.numRuntimeErrorTestSuites;
  if (result.numTotalTests === 0) return 'no test was found';
  const unexplained = status !== 0 && result.numFailedTests + result.numRuntimeErrorTestSuites === 0;
  return unexplained ? `jest ended with exit status ${status}` : '';
}

/** Tests that were skipped, with why, as their titles say it. */
function leftOut(report) {
  return JSON.parse(readFileSync(report, 'utf8')).testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.filter(({ status }) => status === 'pending').map(({ fullName }) => ({ file: name, why: /left out: ([^)]*)/.exec(fullName)?.[1] ?? 'skipped without a reason' })));
}


const ready = await step('install and build', async () => {
  const { failed } = await prepare({ examples: EXAMPLES });
  return failed.length > 0 ? `not built: ${failed.join(', ')}` : '';
});
if (ready) {
  await step('lock is complete', () => succeeds([at('scripts/complete-lock.mjs'), '--check']));
  await step('lint', () => succeeds([at('node_modules/oxlint/bin/oxlint'), '--deny-warnings']));
  await step('types', () => succeeds([at('node_modules/typescript/bin/tsc'), '-p', 'tsconfig.test.json', '--noEmit']));
  await step('dependency rules', dependencyRules);
  const dir = mkdtempSync(join(tmpdir(), 'whorl-test-'));
  try {
    const written = { report: join(dir, 'report.json'), calls: join(dir, 'calls') };
    const ran = await step('jest ran to its end', () => tests(written));
    const skipped = ran ? leftOut(written.report) : [];
    const isWhole = ran && process.argv.length === 2 && !skipped.some(({ file }) => file.includes('/test/capability/'));
    // Only a run of everything, with no capability left out, says what the page must say.
    if (isWhole) await step('docs/compatibility.md is true', () => succeeds([at('scripts/compatibility-doc.mjs'), written.calls, written.report]));
    for (const why of new Set(skipped.map((each) => each.why))) console.log(`left out: ${skipped.filter((each) => each.why === why).length} tests (${why})`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 ? 1 : 0;
