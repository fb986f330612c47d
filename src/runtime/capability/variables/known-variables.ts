import { Err, type HostBinding, type HostResolver } from '#engine/run/host.js';
import { perSlot } from '../capability.js';
import type { GuestState } from '../guest.js';
import { VARIABLES } from './variables.capability.js';

/** The variables of some request are asked for by a component that was made ready when there was nothing to ask. */
const UNPREPARED = 'the app is being made ready to ask its providers for variables';

const atOnce = ({ bind }: HostBinding<GuestState>, tag: 'provider' | 'upstream'): HostBinding<GuestState> =>
  perSlot((state) => {
    const call = bind(state);
    return (...args) => {
      const given: unknown = call(...args);
      if (!(given instanceof Promise)) return given;
      given.catch(() => undefined);
      return new Err({ tag, val: UNPREPARED });
    };
  });

const functions = new Map(VARIABLES.flatMap(({ name, version, functions: own }) => Object.entries(own)
  .filter(([, { waits }]) => waits)
  .map(([each, binding]) => [`${version === null ? name : `${name}@${version}`} ${each}`, atOnce(binding, name === 'wasi:config/store' ? 'upstream' : 'provider')] as const)));

/**
 * For a component whose variables need no question: functions that never wait, so that they are no reason to run it on stacks that can be
 * suspended (1.2 µs of CPU for each call into it, measured).
 */
export function withKnownVariables(resolve: HostResolver<GuestState>): HostResolver<GuestState> {
  return (iface, name, denied) => (denied ? undefined : functions.get(`${iface} ${name}`)) ?? resolve(iface, name, denied);
}
