import { WhorlError } from '#contract/errors.js';
import type { Part, PartCutter } from './part-cutter.js';
import { partPath } from './paths.js';
import type { StorageDriver, StoredPart } from './storage-driver.js';

/**
 * Stores what a cutter gives as parts of an upload, from `offset` on. The first one is stored before anything else is, so that of two who
 * write at the same place one goes no further; from then on one part is read while the one before is stored. Throws
 * REGISTRY_UPLOAD_CONFLICT when somebody else has stored a part there.
 */
export async function writeParts(driver: StorageDriver, id: string, offset: number, cutter: PartCutter): Promise<StoredPart[]> {
  const stored: StoredPart[] = [];
  let at = offset;
  let before: Promise<StoredPart> | undefined;
  for (let part = await cutter.next(); part; part = await cutter.next()) {
    const storing = storePart(driver, partPath(id, at), part);
    try {
      await Promise.race([part.readToEnd, storing]);
      if (before) stored.push(await before);
    } catch (error) {
      await dropLate(driver, storing);
      throw error;
    }
    at += part.bytes();
    before = storing;
    if (stored.length === 0) {
      stored.push(await storing);
      before = undefined;
    }
  }
  if (before) stored.push(await before);
  return stored;
}

async function storePart(driver: StorageDriver, key: string, { content }: Part): Promise<StoredPart> {
  const stored = await driver.create(key, content);
  if (!stored) throw new WhorlError('REGISTRY_UPLOAD_CONFLICT', 'somebody else adds to the upload at the same place');
  return stored;
}

/** One that stands behind a gap belongs to nothing. */
async function dropLate(driver: StorageDriver, storing: Promise<StoredPart>): Promise<void> {
  const late = await storing.catch(() => undefined);
  if (late) await driver.delete(late.key).catch(() => {});
}
