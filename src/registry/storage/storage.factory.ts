import type { ControlConfig } from '#platform/config.js';
import { BlobStorage } from './blob-storage.js';
import { FolderDriver } from './folder.driver.js';
import { S3Driver } from './s3.driver.js';

type StorageConfig = Pick<ControlConfig, 'WHORL_STORAGE' | 'WHORL_STORAGE_DIR' | 'WHORL_S3_ENDPOINT' | 'WHORL_S3_BUCKET' | 'WHORL_S3_REGION' | 'WHORL_S3_ACCESS_KEY' | 'WHORL_S3_SECRET_KEY'>;

/** Opens the store that the configuration names. Throws an Error that names a variable it lacks. */
export async function openStorage(config: StorageConfig): Promise<BlobStorage> {
  const need = (name: keyof StorageConfig): string => {
    const value = config[name];
    if (!value) throw new Error(`bad configuration:\n  ${name}: needed for WHORL_STORAGE=${config.WHORL_STORAGE}`);
    return value;
  };
  if (config.WHORL_STORAGE === 'folder') return new BlobStorage(await FolderDriver.open(need('WHORL_STORAGE_DIR')));
  return new BlobStorage(new S3Driver({
    endpoint: need('WHORL_S3_ENDPOINT'),
    bucket: need('WHORL_S3_BUCKET'),
    region: config.WHORL_S3_REGION,
    accessKey: need('WHORL_S3_ACCESS_KEY'),
    secretKey: need('WHORL_S3_SECRET_KEY'),
  }));
}
