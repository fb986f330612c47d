import { ControlConfig, NodeConfig } from '#platform/config.js';

/** What any program may want to know of its surroundings; everything else stays with us. */
const AMBIENT = ['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG', 'LC_ALL', 'NODE_EXTRA_CA_CERTS'];

/** Where Spin looks for values of variables unless it is told otherwise. */
const VARIABLE_PREFIX = 'SPIN_VARIABLE_';

type Variables = Record<string, string | undefined>;

/** Environment of the control plane: of `ours`, what it knows; `made` wins over that. */
export function controlEnvironment(ours: Variables, made: Variables): Record<string, string> {
  return merge(Object.keys(ControlConfig.shape), ours, made);
}

/** Environment of the node: it never sees a database URL or the key of the secrets. Values of apps' variables are for its providers. */
export function nodeEnvironment(ours: Variables, made: Variables): Record<string, string> {
  const provided = Object.entries(ours).filter((entry): entry is [string, string] => entry[0].startsWith(VARIABLE_PREFIX) && entry[1] !== undefined);
  return { ...merge(Object.keys(NodeConfig.shape), ours, made), ...Object.fromEntries(provided) };
}

function merge(known: readonly string[], ours: Variables, made: Variables): Record<string, string> {
  const entries = [
    ...[...AMBIENT, ...known].map((key) => [key, ours[key]] as const),
    ...known.map((key) => [key, made[key]] as const),
  ];
  return { ...(Object.fromEntries(entries.filter(([, value]) => value !== undefined && value !== '')) as Record<string, string>), NODE_ENV: 'production' };
}
