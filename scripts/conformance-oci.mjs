// Runs the OCI distribution specification's conformance program against a fresh Whorl with embedded parts:
//   npm run conformance:oci -- --program PATH [--report DIR]
// The program is built from github.com/opencontainers/distribution-spec, folder conformance (`go build`; of release 1.1 `go test -c`). It gets every
// switch of its own turned on. Ends with 0 only when it passed and skipped nothing.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs, stripVTControlCharacters } from 'node:util';
import { startPlatform } from '../bench/lib/platform.mjs';
import { prepare } from './lib/prepare.mjs';

const APIS = [
  'PING', 'PULL', 'PUSH', 'BLOBS_ATOMIC', 'BLOBS_DELETE', 'BLOBS_DIGEST_HEADER', 'BLOBS_MOUNT_ANONYMOUS', 'BLOBS_UPLOAD_CANCEL', 'MANIFESTS_ATOMIC', 'MANIFESTS_DELETE',
  'MANIFESTS_DIGEST_HEADER', 'MANIFESTS_TAG_PARAM', 'TAGS_ATOMIC', 'TAGS_DELETE', 'TAGS_LIST', 'REFERRER',
];
const DATA = [
  'IMAGE', 'INDEX', 'INDEX_LIST', 'SPARSE', 'ARTIFACT', 'SUBJECT', 'SUBJECT_MISSING', 'ARTIFACT_LIST', 'SUBJECT_LIST', 'DATA_FIELD', 'NONDISTRIBUTABLE', 'CUSTOM_FIELDS',
  'NO_LAYERS', 'EMPTY_BLOB', 'SHA512',
];

/** Of release 1.1: what a registry does that mounts blobs, and what one does that does not; data that is pushed, and data that was there before. */
const EXCLUSIVE_SPECS = 4;

/** What both forms of the program read: that of the main branch, and that of release 1.1. */
function environmentOf({ api, token }, reportDir) {
  const on = (prefix, names) => Object.fromEntries(names.map((name) => [`OCI_${prefix}_${name}`, 'true']));
  return {
    OCI_REGISTRY: new URL(api).host, OCI_TLS: 'disabled', OCI_REPO1: 'default/conformance-one', OCI_REPO2: 'default/conformance-two', OCI_USERNAME: 'conformance', OCI_PASSWORD: token,
    OCI_VERSION: '1.1', OCI_RESULTS_DIR: reportDir, ...on('API', APIS), ...on('DATA', DATA),
    OCI_ROOT_URL: api, OCI_NAMESPACE: 'default/conformance-one', OCI_CROSSMOUNT_NAMESPACE: 'default/conformance-two', OCI_AUTOMATIC_CROSSMOUNT: '1', OCI_REPORT_DIR: reportDir,
    OCI_TEST_PULL: '1', OCI_TEST_PUSH: '1', OCI_TEST_CONTENT_DISCOVERY: '1', OCI_TEST_CONTENT_MANAGEMENT: '1', OCI_HIDE_SKIPPED_WORKFLOWS: '0',
  };
}

/** The program says so in words; it may end with 0 when it could not even begin. */
function hasPassed(output) {
  const plain = stripVTControlCharacters(output);
  if (/^OCI Conformance Result: /m.test(plain)) {
    const bad = ['FAIL', 'Error', 'Skip', 'Disabled'].some((word) => new RegExp(`^ +${word}\\.*: +[1-9]`, 'im').test(plain));
    return /^OCI Conformance Result: pass/im.test(plain) && !bad;
  }
  const [, run, all] = /^Ran (\d+) of (\d+) Specs/m.exec(plain) ?? [];
  return run !== undefined && Number(all) - Number(run) <= EXCLUSIVE_SPECS && /\b0 Failed\b/.test(plain);
}

async function main() {
  const { values } = parseArgs({ options: { program: { type: 'string' }, report: { type: 'string' } } });
  if (!values.program) throw new Error('which program? npm run conformance:oci -- --program PATH');
  // npm runs scripts in the package's folder, wherever it was called.
  const at = (path) => resolve(process.env.INIT_CWD ?? '.', path);
  await prepare();
  const reportDir = values.report ? at(values.report) : (await mkdtemp(join(tmpdir(), 'whorl-conformance-')));
  // Manifests that name what is not there are a switch of the program and one of ours.
  const platform = await startPlatform({ env: { WHORL_REGISTRY_SPARSE_MANIFESTS: 'true' } });
  try {
    const child = spawn(at(values.program), [], { env: { ...process.env, ...environmentOf(platform, reportDir) }, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
      process.stdout.write(chunk);
    });
    const status = await new Promise((done, failed) => child.once('error', failed).once('close', done));
    const passed = status === 0 && hasPassed(output);
    console.log(passed ? 'passed, nothing skipped' : `not passed (status ${status})`);
    process.exitCode = passed ? 0 : 1;
  } finally {
    await platform.stop();
    if (values.report === undefined) await rm(reportDir, { recursive: true, force: true });
  }
}

await main();
