import type { Capability } from '../capability.js';
import { KEY_VALUE_EXTENDED } from './extended.capability.js';
import { KEY_VALUE_SPIN_02 } from './spin-02.capability.js';
import { KEY_VALUE_SPIN_03 } from './spin-03.capability.js';
import { KEY_VALUE_WASI } from './wasi.capability.js';

/** Key-value stores in every version: adapters over the port in key-value-store.ts. */
export const KEY_VALUE: readonly Capability[] = [...KEY_VALUE_SPIN_02, KEY_VALUE_SPIN_03, ...KEY_VALUE_WASI, KEY_VALUE_EXTENDED];
