import { describe, expect, it } from '@jest/globals';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ERRORS } from '#contract/errors.js';

const ROOT = join(import.meta.dirname, '../..');
const page = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8');
const rows = new Map([...page.matchAll(/^\| `([A-Z_0-9]+)` \| (\d+) \| (.*) \| (user|system) \| (.*) \|$/gm)].map((m) => [m[1], m.slice(2)]));

describe('docs/errors.md', () => {
  it('names every error of the table, with its status, fault and hint', () => {
    const table = Object.entries(ERRORS).map(([code, e]) => [code, [`${e.status}`, e.title, e.fault, e.hint.replaceAll('|', '\\|')]]);
    expect([...rows]).toEqual(table);
  });

  it('has no code that the source never raises', () => {
    const source = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.includes('contract/errors/') && !file.endsWith('.spec.ts') && !file.includes('generated'))
      .map((file) => readFileSync(join(ROOT, 'src', file), 'utf8'))
      .join('\n');
    expect(Object.keys(ERRORS).filter((code) => !new RegExp(`\\b${code}\\b`).test(source))).toEqual([]);
  });
});
