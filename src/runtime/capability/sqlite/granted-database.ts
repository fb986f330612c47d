import { relative, join } from 'node:path';
import type { SqliteBackend } from '#contract/runtime-grant.js';
import type { GuestGrant } from '../guest.js';
import type { SqlDatabase } from './database.js';
import { sqlDatabase } from './open.js';

/** The label that every app has a database for, without any configuration. */
const DEFAULT_LABEL = 'default';

/** The database that a component means by a label: only what its manifest grants, and only what the operator, or the platform, has. */
export function grantedDatabase(grant: GuestGrant, label: string): SqlDatabase | 'access-denied' | 'no-such-database' {
  if (!grant.sqliteDatabases.includes(label)) return 'access-denied';
  const backend = backendOf(grant, label);
  if (!backend) return 'no-such-database';
  const { orgDir, org, app, settings } = grant;
  return sqlDatabase(backend, { orgDir, owner: JSON.stringify([org, app]), maxBytes: settings.sqliteBytes });
}

function backendOf({ runtime, orgDir, stateDir }: GuestGrant, label: string): SqliteBackend | undefined {
  if (Object.hasOwn(runtime.sqliteDatabases, label)) return runtime.sqliteDatabases[label];
  if (label !== DEFAULT_LABEL) return undefined;
  return { type: 'spin', file: relative(orgDir, join(stateDir, 'sqlite', `${label}.sqlite`)) };
}
