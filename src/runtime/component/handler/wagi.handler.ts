import { GuestExit } from '#runtime/capability/cli/guest-exit.js';
import { CgiSink } from './cgi-sink.js';
import { toCgiArguments, toCgiEnvironment } from './cgi.js';
import type { HandlerEvents, HandlerFactory, HandlerRun } from './handler.js';

/** `wasi:cli/run` of either line, candidates included, under the WAGI executor: CGI variables in, stdout out. */
export const wagi: HandlerFactory = ({ executor, findExport }) => {
  const iface = findExport('wasi:cli/run@0.2') ?? findExport('wasi:cli/run@0.3');
  if (iface === undefined || executor.type !== 'wagi') return undefined;
  return {
    begin: (run) => {
      const environment = toCgiEnvironment(run.exchange);
      const value = (name: string) => environment.find(([key]) => key === name)?.[1] ?? '';
      const stdout = new CgiSink(run.exchange);
      const io = {
        stdin: run.exchange.body,
        stdout,
        args: toCgiArguments(executor.argv, value('SCRIPT_NAME'), value('QUERY_STRING')),
        environment,
      };
      run.start(io, (slot, on) => {
        let failed = false;
        slot.start(iface, 'run', [], {
          result: (result) => {
            failed = (result as { tag: string } | undefined)?.tag === 'err';
          },
          exit: () => finish(run, stdout, on, failed ? new Error('the component\'s run returned an error') : null),
          // exit(0) is a command's way to end.
          fail: (error) => (error instanceof GuestExit && error.code === 0 ? finish(run, stdout, on, null) : on.fail(error)),
        });
      });
    },
  };
};

function finish(run: HandlerRun, stdout: CgiSink, on: HandlerEvents, failure: Error | null): void {
  if (failure) return on.fail(failure);
  stdout.end();
  if (!stdout.fault) return on.done();
  const text = Buffer.from(stdout.fault.message);
  const sink = run.exchange.respond(stdout.fault.status ?? 500, [['content-type', 'text/plain'], ['content-length', String(text.length)]]);
  sink.write(text);
  sink.end();
  on.done();
}
