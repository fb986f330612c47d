import { join } from 'node:path';
import type { KeyValueBackend, RuntimeGrant } from '#contract/runtime-grant.js';
import type { GuestGrant } from '../guest.js';
import { openFileStore, openKeyValueStore } from './store.js';
import { StorePlace } from './store-pool.js';

/** The label that every app has a store for, without any configuration. */
const DEFAULT_LABEL = 'default';

export type Refusal = 'access-denied' | 'no-such-store';

/** The places behind a component's labels, for as long as its runtime configuration is the same. */
interface Places {
  runtime: RuntimeGrant;
  byLabel: Map<string, StorePlace>;
}

const known = new WeakMap<GuestGrant, Places>();

/** The store that a component means by a label: only what its manifest grants, and only what the operator, or the platform, has. */
export function grantedStore(grant: GuestGrant, label: string): StorePlace | Refusal {
  if (!grant.keyValueStores.includes(label)) return 'access-denied';
  let places = known.get(grant);
  if (!places || places.runtime !== grant.runtime) known.set(grant, (places = { runtime: grant.runtime, byLabel: new Map() }));
  const found = places.byLabel.get(label) ?? placeFor(grant, label);
  if (!found) return 'no-such-store';
  places.byLabel.set(label, found);
  return found;
}

function placeFor(grant: GuestGrant, label: string): StorePlace | undefined {
  const { keyValueStores } = grant.runtime;
  if (Object.hasOwn(keyValueStores, label)) return configured(grant, keyValueStores[label]!);
  if (label !== DEFAULT_LABEL) return undefined;
  const path = join(grant.stateDir, 'key-value', `${label}.sqlite`);
  return new StorePlace(path, () => openFileStore(path));
}

/** Connections are never shared by two apps, even where the place is the same; a file is, since SQLite keeps its users apart. */
function configured({ org, app, orgDir }: GuestGrant, backend: KeyValueBackend): StorePlace {
  const key = backend.type === 'spin' ? join(orgDir, backend.file) : JSON.stringify([org, app, backend]);
  return new StorePlace(key, () => openKeyValueStore(backend, orgDir));
}
