import { Err, type HostFunction } from '#engine/run/host.js';
import { perSlot, waiting, type Capability } from '../capability.js';
import type { GuestState } from '../guest.js';
import { settle } from '../wait.js';
import { VariableFault } from './variable-fault.js';
import { nameFault } from './variable-name.js';

/** `error` of `fermyon:spin/variables@2.0.0` and `spin:variables/variables@3.0.0`; the other interfaces make theirs of it. */
interface VariableError {
  tag: 'invalid-name' | 'undefined' | 'provider';
  val: string;
}

type Found = string | Err<VariableError>;

/** A variable of the component's own section, the only ones that it sees. A promise when a provider has to be asked. */
function find(state: GuestState, name: string): Found | Promise<Found> {
  const { grant } = state;
  const answer = grant.variables.get(name);
  if (typeof answer === 'string') return answer;
  if (answer !== undefined) return settle(state, ask(state, answer));
  const fault = nameFault(name);
  if (fault !== null) return new Err({ tag: 'invalid-name', val: `${JSON.stringify(name)}: ${fault}` });
  return new Err({ tag: 'undefined', val: `no variable for ${JSON.stringify(grant.component)}.${JSON.stringify(name)}` });
}

/** A guest learns that the provider failed; why is a matter for the operator, and in the log. */
async function ask({ invocation }: GuestState, question: () => Promise<string>): Promise<Found> {
  try {
    return await question();
  } catch (error) {
    if (!(error instanceof VariableFault)) throw error;
    invocation.note(error.reason);
    return new Err({ tag: 'provider', val: error.message });
  }
}

/** Goes on with what is found, without a promise where there is none. */
function then<T, U>(found: T | Promise<T>, next: (value: T) => U): U | Promise<U> {
  return found instanceof Promise ? found.then(next) : next(found);
}

const get = (state: GuestState): HostFunction => (name: string) => find(state, name);

/** `fermyon:spin/config`, the first of them. */
const getConfig = (state: GuestState): HostFunction => (key: string) => then(find(state, key), (found) => {
  if (typeof found === 'string') return found;
  const { tag, val } = found.payload;
  if (tag === 'invalid-name') return new Err({ tag: 'invalid-key', val });
  // Spin shows the newer interface's error in the older one's
  return new Err(tag === 'undefined' ? { tag: 'provider', val } : { tag: 'other', val: `Error::Provider(${JSON.stringify(val)})` });
});

/** `wasi:config/store`: what does not exist, or could not, is no error. */
const getStored = (state: GuestState): HostFunction => (key: string) => then(find(state, key), (found) => {
  if (typeof found === 'string') return found;
  return found.payload.tag === 'provider' ? upstream(found.payload) : undefined;
});

const getAll = (state: GuestState): HostFunction => () => {
  const names = [...state.grant.variables.keys()];
  const found = names.map((name) => find(state, name));
  const toPairs = (all: readonly Found[]) => {
    const failed = all.find((each) => typeof each !== 'string');
    return failed ? upstream(failed.payload) : names.map((name, at) => [name, all[at]]);
  };
  return found.some((each) => each instanceof Promise) ? Promise.all(found).then(toPairs) : toPairs(found as Found[]);
};

const upstream = ({ val }: VariableError): Err => new Err({ tag: 'upstream', val });

/** Variables of a component in the forms that Spin has. They wait only where a provider has to be asked. */
export const VARIABLES: readonly Capability[] = [
  { name: 'fermyon:spin/config', version: null, functions: { 'get-config': waiting(getConfig) } },
  { name: 'fermyon:spin/variables', version: '2.0.0', functions: { get: waiting(get) } },
  { name: 'spin:variables/variables', version: '3.0.0', functions: { get: perSlot(get) } },
  { name: 'wasi:config/store', version: '0.2.0-draft-2024-09-27', functions: { get: waiting(getStored), 'get-all': waiting(getAll) } },
];
