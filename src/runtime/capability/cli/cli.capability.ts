import { EOF as PIPE_EOF, hostFuture, hostStream, type Pipe } from '#engine/run/pipe.js';
import { perSlot, plain, type Capability } from '../capability.js';
import { EOF, type GuestState } from '../guest.js';
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

const terminals = (version: '0.2' | '0.3'): Capability[] => [
  { name: 'wasi:cli/terminal-input', version, functions: {} },
  { name: 'wasi:cli/terminal-output', version, functions: {} },
  { name: 'wasi:cli/terminal-stdin', version, functions: { 'get-terminal-stdin': none } },
  { name: 'wasi:cli/terminal-stdout', version, functions: { 'get-terminal-stdout': none } },
  { name: 'wasi:cli/terminal-stderr', version, functions: { 'get-terminal-stderr': none } },
];

const environment = { 'get-environment': getEnvironment, 'get-arguments': getArguments };

/** `wasi:cli`. No guest has a terminal or a working directory. */
export const CLI: readonly Capability[] = [
  { name: 'wasi:cli/environment', version: '0.2', functions: { ...environment, 'initial-cwd': none } },
  { name: 'wasi:cli/environment', version: '0.3', functions: { ...environment, 'get-initial-cwd': none } },
  { name: 'wasi:cli/exit', version: '0.2', functions: EXIT },
  { name: 'wasi:cli/exit', version: '0.3', functions: EXIT },
  { name: 'wasi:cli/stdin', version: '0.2', functions: { 'get-stdin': perSlot((state) => () => new StdinStream(state)) } },
  { name: 'wasi:cli/stdout', version: '0.2', functions: { 'get-stdout': perSlot((state) => () => new LogStream(state, 'stdout')) } },
  { name: 'wasi:cli/stderr', version: '0.2', functions: { 'get-stderr': perSlot((state) => () => new LogStream(state, 'stderr')) } },
  { name: 'wasi:cli/types', version: '0.3', functions: {} },
  { name: 'wasi:cli/stdin', version: '0.3', functions: { 'read-via-stream': perSlot((state) => () => readViaStream(state)) } },
  {
    name: 'wasi:cli/stdout',
    version: '0.3',
    functions: { 'write-via-stream': perSlot((state) => (data: Pipe) => writeViaStream(state, 'stdout', data)) },
  },
  {
    name: 'wasi:cli/stderr',
    version: '0.3',
    functions: { 'write-via-stream': perSlot((state) => (data: Pipe) => writeViaStream(state, 'stderr', data)) },
  },
  ...terminals('0.2'),
  ...terminals('0.3'),
];
