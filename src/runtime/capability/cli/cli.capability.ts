import { EOF as PIPE_EOF, hostFuture, hostStream, type Pipe } from '#engine/run/pipe.js';
import { perSlot, plain, type Capability } from '../capability.js';
import { EOF, type GuestState } from '../guest.js';
import { atVersions, RC_2023_10_18, RC_2023_11_10, SINCE_2023_10_18, SINCE_2026_03_15 } from '../versions.js';
import { GuestExit } from './guest-exit.js';
import { LogStream, StdinStream, stdinSource } from './stdio.js';

const OK = { tag: 'ok', val: undefined };
const ioFault = { tag: 'err', val: 'io' };

const none = plain(() => undefined);
const getEnvironment = perSlot((state) => () => [...state.grant.environment, ...state.invocation.environment].map(([key, value]) => [key, value]));
const getArguments = perSlot((state) => () => [...state.invocation.args]);

const EXIT: Capability['functions'] = {
  exit: plain((status: { tag: 'ok' | 'err' }) => {
    throw new GuestExit(status.tag === 'ok' ? 0 : 1);
  }),
};
const EXIT_WITH_CODE: Capability['functions'] = {
  ...EXIT,
  'exit-with-code': plain((code: number) => {
    throw new GuestExit(code);
  }),
};

/** stdin of 0.3: the bytes, and a future that tells how they ended. */
function readViaStream(state: GuestState): [Pipe, Pipe] {
  const source = stdinSource(state);
  const result = hostFuture();
  const stream = hostStream({
    pull: (_pipe: Pipe, max: number) => {
      try {
        const chunk = source.read(max);
        if (chunk !== EOF) return chunk;
        result.resolve(OK);
      } catch {
        result.resolve(ioFault);
      }
      return PIPE_EOF;
    },
    cancel: () => result.resolve(OK),
  });
  source.onReadable = () => stream.more();
  return [stream, result];
}

/** stdout and stderr of 0.3: the future settles when the guest's stream has ended. */
function writeViaStream(state: GuestState, name: 'stdout' | 'stderr', data: Pipe): Pipe {
  // a stream that comes from outside is pumped while no code of the guest runs
  const out = new LogStream(data.isHostSource ? { invocation: state.invocation } : state, name);
  const result = hostFuture();
  data.attach({
    write: (chunk: Uint8Array) => {
      out.put(chunk);
      if (out.permit() !== 0) return true;
      const drained = () => {
        out.unsubscribe(drained);
        data.drained();
      };
      out.subscribe(drained);
      return false;
    },
    end: () => result.resolve(OK),
  });
  return result;
}

const terminals = (versions: readonly string[]): Capability[] => [
  ...atVersions(versions, 'wasi:cli/terminal-input', {}),
  ...atVersions(versions, 'wasi:cli/terminal-output', {}),
  ...atVersions(versions, 'wasi:cli/terminal-stdin', { 'get-terminal-stdin': none }),
  ...atVersions(versions, 'wasi:cli/terminal-stdout', { 'get-terminal-stdout': none }),
  ...atVersions(versions, 'wasi:cli/terminal-stderr', { 'get-terminal-stderr': none }),
];

const environment = { 'get-environment': getEnvironment, 'get-arguments': getArguments };
const writing = (name: 'stdout' | 'stderr') => ({ 'write-via-stream': perSlot((state) => (data: Pipe) => writeViaStream(state, name, data)) });

/** `wasi:cli`. No guest has a terminal or a working directory. */
export const CLI: readonly Capability[] = [
  ...atVersions(SINCE_2023_10_18, 'wasi:cli/environment', { ...environment, 'initial-cwd': none }),
  ...atVersions([RC_2023_10_18, RC_2023_11_10], 'wasi:cli/exit', EXIT),
  ...atVersions(['0.2', ...SINCE_2026_03_15], 'wasi:cli/exit', EXIT_WITH_CODE),
  ...atVersions(SINCE_2023_10_18, 'wasi:cli/stdin', { 'get-stdin': perSlot((state) => () => new StdinStream(state)) }),
  ...atVersions(SINCE_2023_10_18, 'wasi:cli/stdout', { 'get-stdout': perSlot((state) => () => new LogStream(state, 'stdout')) }),
  ...atVersions(SINCE_2023_10_18, 'wasi:cli/stderr', { 'get-stderr': perSlot((state) => () => new LogStream(state, 'stderr')) }),
  ...terminals(SINCE_2023_10_18),
  ...atVersions(SINCE_2026_03_15, 'wasi:cli/environment', { ...environment, 'get-initial-cwd': none }),
  ...atVersions(SINCE_2026_03_15, 'wasi:cli/types', {}),
  ...atVersions(SINCE_2026_03_15, 'wasi:cli/stdin', { 'read-via-stream': perSlot((state) => () => readViaStream(state)) }),
  ...atVersions(SINCE_2026_03_15, 'wasi:cli/stdout', writing('stdout')),
  ...atVersions(SINCE_2026_03_15, 'wasi:cli/stderr', writing('stderr')),
  ...terminals(SINCE_2026_03_15),
];
