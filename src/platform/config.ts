import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { LabelText, NodeLabels, NodeTaint } from '#contract/node-facts.js';

/**
 * The only reader of the environment. Each variable has one line here, one in .env.example and is checked at start: an unknown
 * `WHORL_…` variable or a bad value stops the process.
 */

const port = (value: number) => z.coerce.number().int().min(0).max(65535).default(value);
const positive = (value: number) => z.coerce.number().int().positive().default(value);
const flag = (value: boolean) => z.enum(['true', 'false']).default(value ? 'true' : 'false').transform((text) => text === 'true');
const secret = z.string().min(16);
const address = z.string().regex(/^(\[[0-9a-fA-F:.]+\]|[^\s:[\]]+):\d{1,5}$/, 'expected host:port');
/** Texts separated by commas, each of which must pass. */
const list = (passes: (text: string) => boolean, expected: string) =>
  z.string().transform((text) => text.split(',').map((each) => each.trim()).filter((each) => each !== ''))
    .refine((all) => all.every(passes), `expected ${expected}, separated by commas`).optional();
/** `key=value`, with commas between several; the last of one key counts. */
const labels = z.string().default('').transform((text) => Object.fromEntries(parts(text).map((part) => split(part, '=')))).pipe(NodeLabels);
/** `key=value:effect`, with commas between several. */
const taints = z.string().default('').transform((text) => parts(text).map((part) => {
  const [rule, effect] = split(part, ':');
  const [key, value] = split(rule, '=');
  return { key, value, effect };
})).pipe(z.array(NodeTaint));
const parts = (text: string): string[] => text.split(',').map((each) => each.trim()).filter((each) => each !== '');
const split = (text: string, separator: string): [string, string] => {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
};
const isOrigin = (text: string): boolean => /^https?:\/\/[^/?#@]+$/.test(text) && URL.canParse(text);
const isHost = (text: string): boolean => /^[^/?#@]+$/.test(text) && URL.canParse(`https://${text}`);

/** What every process reads. */
const common = {
  /** debug, info, warn or error. */
  WHORL_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  /** Address that sockets listen on. */
  WHORL_LISTEN: z.string().default('127.0.0.1'),
  /** Domain below which apps have their hosts: `<app>.<domain>`. */
  WHORL_APP_DOMAIN: z.string().default('localhost'),
  /** Port of the apps' HTTP. */
  WHORL_HTTP_PORT: port(3000),
};

const control = {
  ...common,
  /** Port of the API. */
  WHORL_API_PORT: port(4000),
  /** Where the control plane answers `GET /metrics` for Prometheus, as `host:port` (IPv6 in brackets); without it nowhere. */
  WHORL_API_METRICS_LISTEN: address.optional(),
  /** PostgreSQL connection URL. */
  DATABASE_URL: z.string().regex(/^postgres(ql)?:\/\//, 'expected postgres://…'),
  /** Redis connection URL for jobs; without it they run on PostgreSQL. */
  WHORL_REDIS_URL: z.string().regex(/^rediss?:\/\//, 'expected redis://…').optional(),
  /** Where artifacts are kept: `folder` or `s3`. */
  WHORL_STORAGE: z.enum(['folder', 's3']).default('folder'),
  /** Absolute path of the artifact folder (storage `folder`). */
  WHORL_STORAGE_DIR: z.string().refine(isAbsolute, 'expected an absolute path').optional(),
  /** S3 endpoint with scheme and port (storage `s3`). */
  WHORL_S3_ENDPOINT: z.url().optional(),
  /** Bucket that keeps the artifacts; it must exist (storage `s3`). */
  WHORL_S3_BUCKET: z.string().min(3).optional(),
  /** Region of the bucket (storage `s3`). */
  WHORL_S3_REGION: z.string().default('us-east-1'),
  /** Whether the bucket is the first segment of the path, or else the first label of the host (storage `s3`). */
  WHORL_S3_PATH_STYLE: flag(true),
  /** The store as nodes reach it, with scheme and port: they then read blobs there by presigned URLs; without it the control plane sends them. */
  WHORL_S3_PRESIGN_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  /** Access key of the store (storage `s3`). */
  WHORL_S3_ACCESS_KEY: z.string().optional(),
  /** Secret key of the store (storage `s3`). */
  WHORL_S3_SECRET_KEY: z.string().optional(),
  /** Encrypts secret variables, runtime configurations and settings of stores at rest; 32 bytes as base64url. Losing it loses them. */
  WHORL_SECRET_KEY: z.string().refine((text) => Buffer.from(text, 'base64url').length === 32, 'expected 32 bytes as base64url'),
  /** Absolute path of a runtime configuration for all apps, TOML or JSON, read at start; what the API sets goes before it. */
  WHORL_RUNTIME_CONFIG: z.string().refine(isAbsolute, 'expected an absolute path').optional(),
  /** Token with all rights, registered at start. */
  WHORL_ADMIN_TOKEN: secret.optional(),
  /** Token that nodes use, registered at start. */
  WHORL_NODE_TOKEN: secret.optional(),
  /** Port where nodes of other machines reach the control plane, by mutual TLS; without it there is none. */
  WHORL_NODES_PORT: z.coerce.number().int().min(0).max(65535).optional(),
  /** Address that the nodes port listens on; without it WHORL_LISTEN. */
  WHORL_NODES_LISTEN: z.string().optional(),
  /** The nodes ports as nodes reach them, `https://host:port`, separated by commas; without it nodes keep the URL that they joined by. */
  WHORL_NODES_URLS: list((text) => /^https:\/\/[^/?#@]+$/.test(text) && URL.canParse(text), 'https://host:port'),
  /** Seconds that certificates of nodes and control planes are valid; they are renewed at half of it. */
  WHORL_CERTIFICATE_SECONDS: z.coerce.number().int().min(5).max(7 * 86_400).default(86_400),
  /** Scheme of the apps' URLs as users see them. */
  WHORL_PUBLIC_SCHEME: z.enum(['http', 'https']).default('http'),
  /** Port of the apps' URLs as users see them; without it WHORL_HTTP_PORT. */
  WHORL_PUBLIC_PORT: z.coerce.number().int().min(1).max(65535).optional(),
  /** Largest bundle, compressed, in bytes. */
  WHORL_MAX_BUNDLE_BYTES: positive(100 * 1024 * 1024),
  /** Absolute path of sigstore's trusted_root.json: whose keyless signatures and transparency logs are believed. Nothing is downloaded. */
  WHORL_TRUSTED_ROOT: z.string().refine(isAbsolute, 'expected an absolute path').optional(),
  /** Lets components' sources and images be fetched from private addresses (RFC 1918, loopback), whatever their host. */
  WHORL_ALLOW_PRIVATE_SOURCES: flag(false),
  /** Absolute path of credentials for other registries, in the format of Docker's config.json; read again when they are asked for. */
  WHORL_REGISTRY_AUTH_FILE: z.string().refine(isAbsolute, 'expected an absolute path').optional(),
  /** Absolute path of certificates (PEM) of private authorities that other registries may have theirs from, besides the public ones. */
  WHORL_REGISTRY_CA_FILE: z.string().refine(isAbsolute, 'expected an absolute path').optional(),
  /** Other registries that may have private addresses, as `host` or `host:port`, separated by commas. */
  WHORL_REGISTRY_PRIVATE_HOSTS: list(isHost, 'host or host:port'),
  /** Other registries that are spoken to in clear (`http://host:port`), or whatever their certificate says (`https://host`); may be private too. */
  WHORL_REGISTRY_INSECURE_ORIGINS: list(isOrigin, 'http://host:port or https://host:port'),
  /** URL of an HTTP proxy on the way to other registries. HTTP_PROXY and HTTPS_PROXY are not looked at. */
  WHORL_REGISTRY_PROXY: z.url({ protocol: /^https?$/ }).optional(),
  /** Hosts, domains and ports that are reached without the proxy, as in NO_PROXY. */
  WHORL_REGISTRY_NO_PROXY: z.string().optional(),
  /** Hosts of webhooks that may have private addresses and be spoken to in clear, as `host` or `host:port`, separated by commas. */
  WHORL_WEBHOOK_PRIVATE_HOSTS: list(isHost, 'host or host:port'),
  /** Components that are built at the same time. */
  WHORL_BUILD_WORKERS: positive(2),
  /** Longest time that building one component may take. */
  WHORL_BUILD_TIMEOUT_MS: positive(60_000),
  /** Most memory that building one component may take. */
  WHORL_BUILD_MEMORY_BYTES: positive(1024 * 1024 * 1024),
  /** URL of the API as its users see it, where the registry sends clients for tokens; without it what their requests say. */
  WHORL_API_PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** Lets everyone pull from the OCI registry without a token. */
  WHORL_REGISTRY_ANONYMOUS_PULL: flag(false),
  /** Takes manifests into the OCI registry that name blobs or manifests which are not there. */
  WHORL_REGISTRY_SPARSE_MANIFESTS: flag(false),
  /** Days that log lines are kept. */
  WHORL_LOG_RETENTION_DAYS: positive(7),
  /** Of each app the collector keeps so many of the newest versions that did not fail; an app may have another number. */
  WHORL_KEEP_VERSIONS: positive(10),
  /** Days that the collector keeps a version after it was last pushed or served; an app may have another number. */
  WHORL_KEEP_DAYS: positive(30),
  /** Days that the collector keeps a manifest in a repository that no tag leads to. */
  WHORL_KEEP_UNTAGGED_DAYS: positive(14),
  /** Hours that the collector leaves alone whatever was stored, pushed again or begun; longer than any push takes. */
  WHORL_COLLECT_GRACE_HOURS: z.coerce.number().int().min(2).default(24),
  /** Bytes that an organisation may keep in the artifact store; without it there is no bound. */
  WHORL_ORG_STORAGE_BYTES: z.coerce.number().int().positive().optional(),
};

const node = {
  ...common,
  /** URL of the control plane: its nodes port for a node that joins, its API for one with WHORL_NODE_TOKEN; one that has joined knows it. */
  WHORL_API_URL: z.url().optional(),
  /** Token that nodes use, registered at start. */
  WHORL_NODE_TOKEN: secret.optional(),
  /** Join token, for the first start of a node on its own machine. */
  WHORL_JOIN_TOKEN: secret.optional(),
  /** Name of this node, unique in the fleet; one that has joined knows it. */
  WHORL_NODE_NAME: z.string().regex(/^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/).optional(),
  /** Absolute path of the node's state: snapshot, artifact cache, journals, data of apps. */
  WHORL_NODE_DIR: z.string().refine(isAbsolute, 'expected an absolute path'),
  /** What fails together with this node, such as a data centre or a rack: replicas are spread over zones. */
  WHORL_NODE_ZONE: LabelText.default('default'),
  /** Labels of this node that channels may ask for, as `key=value`, separated by commas. */
  WHORL_NODE_LABELS: labels,
  /** What keeps channels off this node that do not tolerate it, as `key=value:effect`, separated by commas; the effect is no-new, or move for those that are here too. */
  WHORL_NODE_TAINTS: taints,
  /** Memory for apps; without it what the machine has beside the node's own processes. */
  WHORL_NODE_MEMORY_BYTES: z.coerce.number().int().positive().optional(),
  /** Thousandths of a core for apps; without it all cores of the machine. */
  WHORL_NODE_MILLICORES: z.coerce.number().int().positive().optional(),
  /** A node that is told to stop goes on answering until others serve its channels, so long at most; with no other node it does not wait. */
  WHORL_DRAIN_MS: z.coerce.number().int().min(0).default(20_000),
  /** Runner processes; without it one for each core, at least two. */
  WHORL_RUNNERS: z.coerce.number().int().min(1).max(256).optional(),
  /** CPU time of one invocation; an app may lower it for a component. */
  WHORL_LIMIT_CPU_MS: positive(30_000),
  /** Time from the start to the end of one invocation; an app may lower it for a component. */
  WHORL_LIMIT_WALL_MS: positive(30_000),
  /** Memory of one instance; an app may lower it for a component. */
  WHORL_LIMIT_MEMORY_BYTES: positive(128 * 1024 * 1024),
  /** Memory outside of the instance that is held for one invocation (fields, bodies, responses); an app may lower it for a component. */
  WHORL_LIMIT_HOST_BYTES: positive(64 * 1024 * 1024),
  /** Invocations of one component at a time in one runner; an app may lower it for a component. */
  WHORL_LIMIT_CONCURRENCY: positive(128),
  /** Requests that wait for one component in one runner; an app may lower it for a component. */
  WHORL_LIMIT_QUEUED: positive(512),
  /** How long a request waits for its component; an app may lower it for a component. */
  WHORL_LIMIT_QUEUE_MS: positive(10_000),
  /** Body of one request; an app may lower it for a component. */
  WHORL_LIMIT_REQUEST_BYTES: positive(256 * 1024 * 1024),
  /** Body of one response; an app may lower it for a component. */
  WHORL_LIMIT_RESPONSE_BYTES: positive(1024 * 1024 * 1024),
  /** Requests that one invocation may send; an app may lower it for a component. */
  WHORL_LIMIT_OUTBOUND_REQUESTS: positive(1_000),
  /** Requests that one invocation may have under way at a time; an app may lower it for a component. */
  WHORL_LIMIT_OUTBOUND_CONCURRENCY: positive(128),
  /** Connections that one component may have open in one runner; an app may lower it for a component. */
  WHORL_LIMIT_OUTBOUND_CONNECTIONS: positive(512),
  /** Output of one invocation that is kept in the log; an app may lower it for a component. */
  WHORL_LIMIT_LOG_BYTES: positive(256 * 1024),
  /** Size of a private, writable /tmp of each invocation, kept in memory; 0: guests have none. */
  WHORL_GUEST_TMP_BYTES: z.coerce.number().int().min(0).default(0),
  /** What one app may keep in its blobstore on this node, names included; 0: apps have none. */
  WHORL_BLOBSTORE_BYTES: z.coerce.number().int().min(0).default(0),
  /** Base URL of an OpenTelemetry collector (OTLP over HTTP) that gets what components tell by wasi:otel; without it nobody does. */
  WHORL_OTEL_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  /** After every so many resets in place of a component, compare its whole memory with what it must be; 0 never does. */
  WHORL_VERIFY_RESET_EVERY: z.coerce.number().int().min(0).default(10_000),
  /** Requests that one instance may serve where an app asks for reuse; 1 gives each a fresh one all the same. */
  WHORL_REUSE_REQUESTS: positive(128),
  /** Of those, at a time. */
  WHORL_REUSE_CONCURRENT: positive(16),
  /** An instance that is kept for reuse is let go of after so long without a request. */
  WHORL_REUSE_IDLE_MS: positive(1_000),
  /** Invocations of all components that one runner has under way at a time. */
  WHORL_RUNNER_INVOCATIONS: positive(1_024),
  /** An app without requests for so long is let go of by a runner; its next request loads it from disk. */
  WHORL_IDLE_AFTER_MS: positive(300_000),
  /** A version that is served on its preview host is dropped, from disk too, after so long without a request. */
  WHORL_PREVIEW_IDLE_MS: positive(900_000),
  /** Versions of apps that one runner has loaded, at most; the least recently used ones go. */
  WHORL_MAX_LOADED_VERSIONS: positive(500),
  /** Memory of one runner from which on it lets go of what was not used lately; without it an equal part of half the machine's. */
  WHORL_RUNNER_MEMORY_BYTES: z.coerce.number().int().positive().optional(),
  /** Where the node answers `GET /metrics` for Prometheus, as `host:port` (IPv6 in brackets); without it nowhere. */
  WHORL_METRICS_LISTEN: address.optional(),
  /** Where the node's gateway listens for those of other nodes, as `host:port` (IPv6 in brackets); without it the node has no gateway. */
  WHORL_GATEWAY_LISTEN: address.optional(),
  /** Where other nodes reach it, as `host:port`; without it where it listens. */
  WHORL_GATEWAY_ADDRESS: address.optional(),
  /** What a SQLite database in a file of the node may grow to, its log not counted. */
  WHORL_SQLITE_BYTES: positive(1024 * 1024 * 1024),
  /** Lets guests reach private addresses (RFC 1918, loopback) that their allowed_outbound_hosts name. */
  WHORL_ALLOW_PRIVATE_HOSTS: flag(false),
};

export const ControlConfig = z.object(control);
export type ControlConfig = z.infer<typeof ControlConfig>;
export const NodeConfig = z.object(node);
export type NodeConfig = z.infer<typeof NodeConfig>;
/** `whorl up` reads these and makes the others itself. */
export const UpConfig = z.object({ ...common, DATABASE_URL: control.DATABASE_URL.optional(), WHORL_REDIS_URL: control.WHORL_REDIS_URL });
export type UpConfig = z.infer<typeof UpConfig>;

/** Every variable the platform knows. */
export const VARIABLES: ReadonlySet<string> = new Set([...Object.keys(control), ...Object.keys(node)]);

/**
 * Reads one process's configuration. Throws an Error that names each bad, missing or unknown variable.
 */
export function readConfig<T extends z.ZodRawShape>(schema: z.ZodObject<T>, env: Record<string, string | undefined> = process.env): z.infer<z.ZodObject<T>> {
  const unknown = Object.keys(env).filter((key) => key.startsWith('WHORL_') && !VARIABLES.has(key));
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = schema.safeParse(present);
  const problems = [
    ...unknown.map((key) => `${key}: unknown variable`),
    ...(parsed.error?.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`) ?? []),
  ];
  if (problems.length > 0) throw new Error(`bad configuration:\n  ${problems.join('\n  ')}`);
  return parsed.data as z.infer<z.ZodObject<T>>;
}
