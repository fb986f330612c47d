import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { FolderDriver } from '#registry/storage/folder.driver.js';
import { MemoryDriver } from '#registry/storage/memory.driver.js';
import { S3Driver } from '#registry/storage/s3.driver.js';
import { openStorage } from '#registry/storage/storage.factory.js';
import { s3Suite } from './s3.suite.js';
import { storageSuite } from './storage.suite.js';

storageSuite('memory', async () => ({ driver: new MemoryDriver(), close: async () => {} }));

storageSuite('folder', async () => {
  const root = await mkdtemp(join(tmpdir(), 'whorl-storage-'));
  return {
    driver: await FolderDriver.open(root),
    another: () => FolderDriver.open(root),
    leftovers: () => readdir(join(root, 'v1/partial')),
    close: () => rm(root, { recursive: true }),
  };
});

s3Suite();

describe(S3Driver.name, () => {
  it('says that the store cannot be reached', async () => {
    const storage = new S3Driver({ endpoint: 'http://127.0.0.1:1', bucket: 'none', region: 'us-east-1', accessKey: 'a', secretKey: 'b' });
    await expect(storage.check()).rejects.toMatchObject({ code: 'REGISTRY_STORAGE_UNAVAILABLE' });
  });
});

describe(FolderDriver.name, () => {
  it('sweeps at start what processes that are gone left, and nothing of living ones', async () => {
    const root = await mkdtemp(join(tmpdir(), 'whorl-storage-'));
    const partial = join(root, 'v1/partial');
    await mkdir(partial, { recursive: true });
    const host = hostname().replaceAll(/[^A-Za-z0-9]/g, '').slice(0, 32);
    const gone = `${host}-999999999-0123456789abcdef`;
    const earlier = `${host}-${process.pid}-0123456789abcdef`;
    const living = `${host}-${process.ppid}-0123456789abcdef`;
    const elsewhere = 'otherhost-1-0123456789abcdef';
    for (const name of [gone, earlier, living, elsewhere]) await writeFile(join(partial, name), 'half');
    await FolderDriver.open(root);
    expect((await readdir(partial)).sort()).toEqual([living, elsewhere].sort());
    await rm(root, { recursive: true });
  });

  it('says that the folder cannot be made', async () => {
    const root = await mkdtemp(join(tmpdir(), 'whorl-storage-'));
    await writeFile(join(root, 'file'), '');
    await expect(FolderDriver.open(join(root, 'file'))).rejects.toMatchObject({ code: 'REGISTRY_STORAGE_UNAVAILABLE' });
    await chmod(root, 0o700);
    await rm(root, { recursive: true });
  });
});

describe(openStorage.name, () => {
  it('names the variable that is missing', async () => {
    const config = { WHORL_S3_REGION: 'us-east-1', WHORL_S3_PATH_STYLE: true } as const;
    await expect(openStorage({ ...config, WHORL_STORAGE: 'folder' })).rejects.toThrow(/WHORL_STORAGE_DIR: needed for WHORL_STORAGE=folder/);
    await expect(openStorage({ ...config, WHORL_STORAGE: 's3' })).rejects.toThrow(/WHORL_S3_ENDPOINT/);
  });
});
