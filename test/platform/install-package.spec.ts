import { afterAll, describe, expect, it } from '@jest/globals';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SCRIPT = new URL('../../scripts/lib/install-package.mjs', import.meta.url).href;
const dir = mkdtempSync(join(tmpdir(), 'whorl-install-'));

afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('installing a package', () => {
  it('refuses when node_modules is a symbolic link, and leaves alone what it leads to', async () => {
    const { installPackage } = (await import(SCRIPT)) as { installPackage(dir: string): Promise<boolean> };
    const [shared, own] = [join(dir, 'shared'), join(dir, 'own')];
    for (const folder of [shared, own]) mkdirSync(folder);
    writeFileSync(join(shared, 'file'), '');
    symlinkSync(shared, join(own, 'node_modules'));
    writeFileSync(join(own, 'package.json'), '{}');
    writeFileSync(join(own, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages: { '': {} } }));
    await expect(installPackage(own)).rejects.toThrow('symbolic link');
    expect(existsSync(join(shared, 'file'))).toBe(true);
  });
});
