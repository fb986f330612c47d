import { Err } from '#engine/run/host.js';
import { PIECE_BYTES } from '../host-memory.js';
import { RedisFault } from './redis-fault.js';
import type { RedisArgument } from './redis-link.js';
import type { RedisSession } from './redis-session.js';
import type { RedisReply, RedisValue } from './resp-reader.js';

/** `redis-parameter` of Spin's interfaces. */
export type RedisParameter = { tag: 'int64'; val: bigint } | { tag: 'binary'; val: Uint8Array };

/** One command as the interfaces have it: what is sent, and what its answer means. */
export interface RedisCommand<T> {
  command: readonly RedisArgument[];
  /** Whether it leaves something behind outside of the invocation. */
  hasEffect: boolean;
  /** A value of the wrong type on the server is the interface's `type-error`, as with Spin's sets. */
  isTyped?: boolean;
  read(values: readonly RedisValue[]): T;
}

const changes = { hasEffect: true };
const looks = { hasEffect: false };
const count = (values: readonly RedisValue[]): number => Number(integer(values));
const nothing = (): undefined => undefined;

/** The commands by their names in WIT. */
export const COMMANDS = {
  publish: (channel: string, payload: Uint8Array) => ({ ...changes, command: ['PUBLISH', channel, payload], read: nothing }),
  get: (key: string) => ({ ...looks, command: ['GET', key], read: ([value]: readonly RedisValue[]) => (value?.tag === 'binary' ? value.val : undefined) }),
  set: (key: string, value: Uint8Array) => ({ ...changes, command: ['SET', key, value], read: nothing }),
  incr: (key: string) => ({ ...changes, command: ['INCR', key], read: integer }),
  del: (keys: readonly string[]) => ({ ...changes, command: ['DEL', ...keys], read: count }),
  sadd: (key: string, values: readonly string[]) => ({ ...changes, isTyped: true, command: ['SADD', key, ...values], read: count }),
  smembers: (key: string) => ({ ...looks, isTyped: true, command: ['SMEMBERS', key], read: texts }),
  srem: (key: string, values: readonly string[]) => ({ ...changes, command: ['SREM', key, ...values], read: count }),
  execute: (command: string, args: readonly RedisParameter[]) => ({ ...changes, command: [command, ...args.map(({ val }) => val)], read: (values: readonly RedisValue[]) => values }),
} satisfies Record<string, (...args: never[]) => RedisCommand<unknown>>;

export type CommandName = keyof typeof COMMANDS;
export const COMMAND_NAMES = Object.keys(COMMANDS) as CommandName[];

/** The command of that name, with what the guest gave it. */
export function commandOf(name: CommandName, args: readonly unknown[]): RedisCommand<unknown> {
  return (COMMANDS[name] as (...given: readonly unknown[]) => RedisCommand<unknown>)(...args);
}

/** What is held outside of the guest until a command is answered. */
export function heldBytesOf({ command }: RedisCommand<unknown>): number {
  return command.reduce((sum: number, argument) => sum + PIECE_BYTES + (typeof argument === 'bigint' ? 0 : argument.length), 0);
}

/** Runs a command. Rejects with a RedisFault. */
export async function runCommand(session: RedisSession, { command, isTyped, read }: RedisCommand<unknown>): Promise<unknown> {
  const { values, error }: RedisReply = await session.send(command);
  if (error === null) return read(values);
  if (isTyped && error.startsWith('WRONGTYPE')) throw new RedisFault({ tag: 'type-error' });
  throw new RedisFault({ tag: 'other', val: error });
}

/** A fault as the error of a `result`; anything else goes on. */
export function toErr(error: unknown, payload: (fault: RedisFault) => unknown): Err {
  if (error instanceof RedisFault) return new Err(payload(error));
  throw error;
}

function integer([value]: readonly RedisValue[]): bigint {
  if (value?.tag !== 'int64') throw new RedisFault({ tag: 'other', val: 'the answer of the server is no integer' });
  return value.val;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function texts(values: readonly RedisValue[]): string[] {
  try {
    return values.map((value) => (value.tag === 'binary' ? utf8.decode(value.val) : ''));
  } catch {
    throw new RedisFault({ tag: 'other', val: 'a member of the set is no UTF-8 text' });
  }
}
