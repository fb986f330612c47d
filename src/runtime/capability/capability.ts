import type { HostBinding, HostFunction } from '#engine/run/host.js';
import type { GuestState } from './guest.js';

/** The host side of one WIT interface at one version: a line of the table in `table.ts`. */
export interface Capability {
  /** Without the version: `wasi:random/random`. */
  readonly name: string;
  /** `0.2` and `0.3` answer every release of that line; `2.0.0` or `0.2.0-rc-2023-11-10` exactly that version; null: none is written. */
  readonly version: string | null;
  readonly functions: Readonly<Record<string, HostBinding<GuestState>>>;
}

/** A function that needs nothing of the slot. */
export const plain = (call: HostFunction): HostBinding<GuestState> => ({ waits: false, bind: () => call });

/** A function made once for each slot. */
export const perSlot = (bind: (state: GuestState) => HostFunction): HostBinding<GuestState> => ({ waits: false, bind });

/** A function that may wait: it returns a promise only when it has to. */
export const waiting = (bind: (state: GuestState) => HostFunction): HostBinding<GuestState> => ({ waits: true, bind });
