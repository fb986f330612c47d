import type { ControlConfig } from '#platform/config.js';
import { BlobStorage } from './blob-storage.js';
import { FolderDriver } from './folder.driver.js';
import { S3Driver } from './s3.driver.js';

type Needed = 'WHORL_STORAGE_DIR' | 'WHORL_S3_ENDPOINT' | 'WHORL_S3_BUCKET' | 'WHORL_S3_ACCESS_KEY' | 'WHORL_S3_SECRET_KEY';
type StorageConfig = Pick<ControlConfig, Needed | 'WHORL_STORAGE' | 'WHORL_S3_REGION' | 'WHORL_S3_PATH_STYLE' | 'WHORL_S3_PRESIGN_ENDPOINT'>;

/** Opens the store that the configuration names. Throws an Error that names a variable it lacks. */
export async function openStorage(config: StorageConfig): Promise<BlobStorage> {
  const need = (name: Needed): string => {
    const value = config[name];
    if (!value) throw new Error(`bad configuration:\n  ${name}: needed for WHORL_STORAGE=${config.WHORL_STORAGE}`);
    return value;
  };
  if (config.WHORL_STORAGE === 'folder') return new BlobStorage(await FolderDriver.open(need('WHORL_STORAGE_DIR')));
  return new BlobStorage(new S3Driver({
    endpoint: need('WHORL_S3_ENDPOINT'),
    bucket: need('WHORL_S3_BUCKET'),
    region: config.WHORL_S3_REGION,
    pathStyle: config.WHORL_S3_PATH_STYLE,
    presignEndpoint: config.WHORL_S3_PRESIGN_ENDPOINT,
    accessKey: need('WHORL_S3_ACCESS_KEY'),
    secretKey: need('WHORL_S3_SECRET_KEY'),
  }));
}
