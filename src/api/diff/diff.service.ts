import { Injectable } from '@nestjs/common';
import { WhorlError } from '#contract/errors.js';
import type { AppName } from '#contract/ids.js';
import type { Db } from '#platform/prisma/prisma.service.js';
import { AppsService } from '../apps/apps.service.js';
import type { Capability } from './capability.schema.js';
import { capabilitiesOf, grantedOnes, newCapabilities, type VersionContents } from './capabilities.js';
import type { VersionDiff, VersionDifference } from './diff.schema.js';
import { versionDiff } from './version-diff.js';
import { VersionContentsRepository } from './version-contents.repository.js';

@Injectable()
export class DiffService {
  constructor(
    private readonly repository: VersionContentsRepository,
    private readonly apps: AppsService,
  ) {}

  /** Throws API_APP_NOT_FOUND, API_VERSION_NOT_FOUND. */
  async compare(name: string, before: number, after: number): Promise<VersionDiff> {
    const app = await this.apps.get(name);
    const [a, b] = await Promise.all([this.contents(app, before), this.contents(app, after)]);
    return { app: name as AppName, ...versionDiff(a, b) };
  }

  /** As `compare`, in a transaction, whose versions it sees. Throws API_VERSION_NOT_FOUND. */
  async difference(db: Db, app: { id: string; name: string }, before: number, after: number): Promise<VersionDifference> {
    return versionDiff(await this.contents(app, before, db), await this.contents(app, after, db));
  }

  /** All that versions of an app ask for. Throws API_VERSION_NOT_FOUND. */
  async asked(db: Db, app: { id: string; name: string }, versions: readonly number[]): Promise<Capability[]> {
    const asked: Capability[] = [];
    for (const version of versions) asked.push(...capabilitiesOf(await this.contents(app, version, db)));
    return asked;
  }

  /** What a version of an app asks for that none of the others does, of all that somebody grants. Throws API_VERSION_NOT_FOUND. */
  async newlyAsked(db: Db, app: { id: string; name: string }, version: number, others: readonly number[]): Promise<Capability[]> {
    const known: Capability[] = [];
    for (const other of others) known.push(...capabilitiesOf(await this.contents(app, other, db)));
    return grantedOnes(newCapabilities(known, capabilitiesOf(await this.contents(app, version, db))));
  }

  private async contents(app: { id: string; name: string }, number: number, db?: Db): Promise<VersionContents> {
    const found = await this.repository.find(app.id, number, db);
    if (!found) throw new WhorlError('API_VERSION_NOT_FOUND', `${app.name} has no version ${number}`);
    return found;
  }
}
