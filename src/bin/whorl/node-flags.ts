import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { WhorlError } from '#contract/errors.js';

export const NODE_USAGE = `usage: whorl node [FLAGS]

  --join URL         nodes port of the control plane, https://host:port
  --token T          join token (POST /v1/nodes/join-tokens makes one)
  --token-file F     file that has the join token: others on this machine see flags
  --name N           name of this node, unique in the fleet
  --dir D            where everything of the node is kept (default .whorl-node)
  --listen A         address that the apps' HTTP listens on (default 127.0.0.1)
  --http-port P      port of the apps (default 3000)
  --help             this text

Only the first start needs --join, --token and --name: the folder has the rest. All other settings are variables: .env.example`;

/** Flags, and the variables that they stand for. */
const VARIABLES = {
  join: 'WHORL_API_URL',
  token: 'WHORL_JOIN_TOKEN',
  name: 'WHORL_NODE_NAME',
  listen: 'WHORL_LISTEN',
  'http-port': 'WHORL_HTTP_PORT',
} as const;

const DEFAULT_DIR = '.whorl-node';

/**
 * The command line of `whorl node`, as variables of the node's process; undefined: its text is asked for. Throws NODE_CONFIG_INVALID, which
 * names the flag.
 * @param configured the folder that the environment names
 */
export function readNodeFlags(args: readonly string[], cwd: string, configured?: string): Record<string, string> | undefined {
  const flags = parse(args);
  if (flags.help) return undefined;
  if (flags.token !== undefined && flags['token-file'] !== undefined) throw new WhorlError('NODE_CONFIG_INVALID', '--token and --token-file: give one of them');
  const token = flags['token-file'] === undefined ? flags.token : readToken(resolve(cwd, flags['token-file']));
  const given = { ...flags, token };
  const named = Object.entries(VARIABLES).flatMap(([flag, variable]) => {
    const value = given[flag as keyof typeof VARIABLES];
    return value === undefined ? [] : [[variable, value] as const];
  });
  const dir = flags.dir ?? configured ?? DEFAULT_DIR;
  return { ...Object.fromEntries(named), WHORL_NODE_DIR: resolve(cwd, dir) };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: false,
      options: {
        help: { type: 'boolean', default: false, short: 'h' },
        join: { type: 'string' },
        token: { type: 'string' },
        'token-file': { type: 'string' },
        name: { type: 'string' },
        dir: { type: 'string' },
        listen: { type: 'string' },
        'http-port': { type: 'string' },
      },
    }).values;
  } catch (error) {
    // Node explains at length how to pass a value that looks like a flag; the first sentence says what is wrong.
    throw new WhorlError('NODE_CONFIG_INVALID', (error as Error).message.split(/\. |\n/)[0] ?? '', { cause: error });
  }
}

function readToken(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new WhorlError('NODE_CONFIG_INVALID', `--token-file: ${(error as Error).message}`, { cause: error });
  }
}
