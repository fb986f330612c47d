import { Err, type HostBinding } from '#engine/run/host.js';
import { perSlot, plain, waiting, type Capability } from '../capability.js';
import type { GuestState } from '../guest.js';
import { settle } from '../wait.js';
import { COMMAND_NAMES, commandOf, heldBytesOf, runCommand, toErr, type CommandName, type RedisCommand } from './redis-commands.js';
import type { RedisFault } from './redis-fault.js';
import { RedisSession } from './redis-session.js';

const ownError = (fault: RedisFault): unknown => fault.error;

function open(state: GuestState, address: string): RedisSession | Err | Promise<unknown> {
  try {
    const session = RedisSession.open(state, address);
    return session instanceof Promise ? settle(state, session.catch((error: unknown) => toErr(error, ownError))) : session;
  } catch (error) {
    return toErr(error, ownError);
  }
}

/** What a command is before it is sent: memory of the invocation's, and an effect. Throws a LimitTrap. */
function begin({ memory, invocation }: GuestState, command: RedisCommand<unknown>): void {
  memory.take(heldBytesOf(command));
  if (command.hasEffect) invocation.effect?.();
}

/** Gives back what `begin` took. */
function returning<T>({ memory }: GuestState, command: RedisCommand<unknown>, answer: Promise<T>): Promise<T> {
  return answer.finally(() => memory.give(heldBytesOf(command)));
}

function run(state: GuestState, name: CommandName, session: RedisSession, args: readonly unknown[]): Promise<unknown> {
  const command = commandOf(name, args);
  begin(state, command);
  return settle(state, returning(state, command, runCommand(session, command)).catch((error: unknown) => toErr(error, ownError)));
}

type Bind = (bind: (state: GuestState) => (...args: never[]) => unknown) => HostBinding<GuestState>;

/** `resource connection`; the versions differ in that its functions block or are asynchronous. */
const connection = (bind: Bind): Capability['functions'] => ({
  '[static]connection.open': bind((state) => (address: string) => open(state, address)),
  ...Object.fromEntries(COMMAND_NAMES.map((name) => [`[method]connection.${name}`, bind((state) => (session: RedisSession, ...args: unknown[]) => run(state, name, session, args))])),
  '[resource-drop]connection': plain((session: RedisSession) => session.close()),
});

/** The first interface: a connection for each call, no reasons, and a key that is missing is an empty one. */
function runOnce(state: GuestState, name: CommandName, [address, ...args]: [string, ...unknown[]]): Promise<unknown> {
  const command = commandOf(name, args);
  begin(state, command);
  const { ending } = state.invocation;
  const answer = async (): Promise<unknown> => {
    const session = await RedisSession.open(state, address);
    try {
      if (ending.isOver) return undefined;
      const value = await runCommand(session, command);
      return name === 'get' ? (value ?? new Uint8Array()) : typeof value === 'number' ? BigInt(value) : value;
    } finally {
      session.close();
    }
  };
  return settle(state, returning(state, command, answer()).catch((error: unknown) => toErr(error, () => 'error')));
}

/** Outbound Redis, in the three forms that Spin has. */
export const REDIS: readonly Capability[] = [
  // its types alone: a component that uses them imports it
  { name: 'fermyon:spin/redis-types', version: null, functions: {} },
  {
    name: 'fermyon:spin/redis',
    version: null,
    functions: Object.fromEntries(COMMAND_NAMES.map((name) => [name, waiting((state) => (...args: [string, ...unknown[]]) => runOnce(state, name, args))])),
  },
  { name: 'fermyon:spin/redis', version: '2.0.0', functions: connection(waiting) },
  { name: 'spin:redis/redis', version: '3.0.0', functions: connection(perSlot) },
];
