/**
 * Where the stores of type `spin` lie on a node, relative to the folder of the app's org. An app's folder bears its name, which never
 * begins with a dot:
 *
 *   <org>/
 *   ├── <app>/key-value/<label>.sqlite    an app's own, `default` among them
 *   ├── <app>/sqlite/<label>.sqlite
 *   ├── .shared/key-value/<path>          named by `path` in a runtime configuration
 *   ├── .shared/sqlite/<path>
 *   └── .stores/<id>.sqlite               made by POST /v1/stores
 */

export type StoreKind = 'key-value' | 'sqlite';

/** The file of a label without another place. */
export const appStoreFile = (app: string, kind: StoreKind, label: string): string => `${app}/${kind}/${label}.sqlite`;

/** `path` is relative and leads nowhere up. */
export const sharedStoreFile = (kind: StoreKind, path: string): string => `.shared/${kind}/${path}`;

export const storeFile = (id: string): string => `.stores/${id}.sqlite`;
