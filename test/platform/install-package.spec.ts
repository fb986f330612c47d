import { afterAll, describe, expect, it } from '@jest/globals';
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

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

  it('is done once by processes that ask for it at the same time, also where one was killed in the middle before', async () => {
    const own = join(dir, 'at-once');
    mkdirSync(join(own, 'dep'), { recursive: true });
    writeFileSync(join(own, 'dep/package.json'), JSON.stringify({ name: 'dep', version: '1.0.0' }));
    writeFileSync(join(own, 'package.json'), JSON.stringify({ name: 'own', version: '1.0.0', dependencies: { dep: 'file:dep' } }));
    writeFileSync(join(own, 'package-lock.json'), JSON.stringify({
      name: 'own', version: '1.0.0', lockfileVersion: 3, requires: true,
      packages: { '': { name: 'own', version: '1.0.0', dependencies: { dep: 'file:dep' } }, dep: { version: '1.0.0' }, 'node_modules/dep': { resolved: 'dep', link: true } },
    }));
    const gone = spawnSync(process.execPath, ['-e', '']).pid;
    writeFileSync(join(own, '.installing'), `${gone}`);
    const install = `const { installPackage } = await import(${JSON.stringify(SCRIPT)}); console.log(await installPackage(${JSON.stringify(own)}), (await import('node:fs')).existsSync(${JSON.stringify(join(own, 'node_modules/dep/package.json'))}));`;
    const outcomes = await Promise.all(Array.from({ length: 3 }, async () => (await promisify(execFile)(process.execPath, ['--input-type=module', '-e', install])).stdout.trim()));
    expect(outcomes.sort()).toEqual(['false true', 'false true', 'true true']);
    expect(readdirSync(own).filter((name) => name.startsWith('.installing'))).toEqual([]);
  });
});
