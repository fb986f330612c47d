// Writes docs/errors.md from the error table. `npm run errors` (after a build); a test holds the two equal.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { ERRORS } from '../dist/contract/errors.js';

/** @param {Record<string, {status: number, title: string, fault: string, hint: string}>} table */
export function errorsPage(table) {
  const stages = Map.groupBy(Object.entries(table), ([code]) => code.split('_')[0]);
  const sections = [...stages].map(([stage, rows]) => [
    `## ${stage}`,
    '',
    '| code | status | what | fault | what to do |',
    '|---|--:|---|---|---|',
    ...rows.map(([code, entry]) => `| \`${code}\` | ${entry.status} | ${entry.title} | ${entry.fault} | ${entry.hint.replaceAll('|', '\\|')} |`),
    '',
  ].join('\n'));
  return [
    '# Errors',
    '',
    'Every error answered by the API is `application/problem+json` (RFC 9457) with `code`, `detail` (what is wrong in this case), `hint` (what to do)',
    'and, for input, `errors` by field. Codes are never renamed or reused. *Fault*: `user`, who calls; `system`, who runs the platform. A status stands',
    'for what is answered over HTTP; codes of the component stage appear in an app\'s log, where the caller only sees the status.',
    '',
    'This page is written by `npm run errors` from `src/contract/errors/`.',
    '',
    ...sections,
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(new URL('../docs/errors.md', import.meta.url), errorsPage(ERRORS));
}
