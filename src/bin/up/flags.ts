import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { WhorlError } from '#contract/errors.js';

export interface UpFlags {
  help: boolean;
  dataDir: string;
  /** undefined: as configured, else the default. 0: any free one. */
  apiPort: number | undefined;
  httpPort: number | undefined;
  /** Bundle to deploy when it is not there yet; its file name is the app's name. */
  example: string | undefined;
}

export const USAGE = `usage: npm run up [-- FLAGS]

  --data-dir DIR    where everything is kept (default .whorl)
  --api-port P      port of the API (default 4000)
  --http-port P     port of the apps (default 3000)
  --no-example      do not deploy the example app
  --example FILE    deploy this bundle as the example instead
  --help            this text

DATABASE_URL, when set, is used instead of the embedded PostgreSQL. All variables: .env.example`;

const Port = z.string().regex(/^\d{1,5}$/).transform(Number).refine((port) => port <= 65535);

/** Reads the command line. Throws UP_FLAG_INVALID, which names the flag. */
export function parseFlags(args: readonly string[], cwd: string = process.cwd()): UpFlags {
  const values = read(args);
  return {
    help: values.help,
    dataDir: resolve(cwd, values['data-dir']),
    apiPort: port('--api-port', values['api-port']),
    httpPort: port('--http-port', values['http-port']),
    example: values.example === undefined || values['no-example'] ? undefined : resolve(cwd, values.example),
  };
}

function read(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: false,
      options: {
        help: { type: 'boolean', default: false, short: 'h' },
        'data-dir': { type: 'string', default: '.whorl' },
        'api-port': { type: 'string' },
        'http-port': { type: 'string' },
        'no-example': { type: 'boolean', default: false },
        example: { type: 'string' },
      },
    }).values;
  } catch (error) {
    // Node explains at length how to pass a value that looks like a flag; the first sentence says what is wrong.
    throw new WhorlError('UP_FLAG_INVALID', (error as Error).message.split(/\. |\n/)[0] ?? '', { cause: error });
  }
}

function port(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const parsed = Port.safeParse(text);
  if (!parsed.success) throw new WhorlError('UP_FLAG_INVALID', `${flag}: expected a port from 0 to 65535, got '${text}'`);
  return parsed.data;
}
