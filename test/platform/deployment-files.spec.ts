import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { CORE_SCHEMA, load, mergeTag } from 'js-yaml';
import type { z } from 'zod';
import { LIMIT_NAMES, toLimitKey } from '#contract/bundle/component-limits.js';
import { ControlConfig, NodeConfig, readConfig, VARIABLES } from '#platform/config.js';

/** What is written down for deployments, held against what the code reads. */

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const read = (path: string): string => readFileSync(at(path), 'utf8');

interface Service {
  image: string;
  command?: string[];
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  depends_on?: Record<string, { condition: string }>;
}
const compose = load(read('docker-compose.yml'), { schema: CORE_SCHEMA.withTags(mergeTag) }) as { services: Record<string, Service>; volumes: Record<string, null> };
const ours = Object.entries(compose.services).filter(([, service]) => service.image === 'whorl');
const isNode = (service: Service): boolean => service.command?.at(-1) === 'dist/bin/node.js';

/** `NAME=value` of .env.example, with or without a comment sign; the comment line above. */
const example = [...read('.env.example').matchAll(/^((?:# .*\n)+)(#?)([A-Z0-9_]+)=(.*)$/gm)].map(([, comment, sign, name, value]) => ({
  name: name ?? '', value: value ?? '', set: sign === '', comment: (comment ?? '').split('\n').map((line) => line.replace(/^# /, '')),
}));
const COMPOSE_ONLY = ['POSTGRES_PASSWORD'];

/** Values as `docker compose` fills them in from a .env made of .env.example. */
const FILLED: Record<string, string> = {
  WHORL_SECRET_KEY: Buffer.alloc(32, 1).toString('base64url'), WHORL_ADMIN_TOKEN: 'a'.repeat(16), WHORL_NODE_TOKEN: 'n'.repeat(16),
  WHORL_S3_ACCESS_KEY: 'whorl', WHORL_S3_SECRET_KEY: 'whorl-secret', POSTGRES_PASSWORD: 'password',
};
const fill = (text: string): string => text.replaceAll(/(?<!\$)\$\{(\w+):\?[^}]*\}/g, (_, name: string) => FILLED[name] ?? `unknown ${name}`);

/** The line of documentation above each variable in config.ts. */
const documented = new Map([...read('src/platform/config.ts').matchAll(/\/\*\* (.*) \*\/\n\s+([A-Z0-9_]+): /g)].map(([, text, name]) => [name ?? '', text ?? '']));

function defaultOf(name: string): unknown {
  const shape: Record<string, z.ZodType> = { ...ControlConfig.shape, ...NodeConfig.shape };
  return shape[name]?.safeParse(undefined).data;
}

describe('.env.example', () => {
  it('has every variable of the code, once, and no other', () => {
    expect(example.map(({ name }) => name).sort()).toEqual([...VARIABLES, ...COMPOSE_ONLY].sort());
  });

  it.each(example.filter(({ name }) => VARIABLES.has(name)))('says of $name what the code says', ({ name, comment }) => {
    expect(comment[0]?.replace(/ \(up\)$/, '')).toBe(documented.get(name));
  });

  it.each(example.filter(({ name, value }) => value !== '' && defaultOf(name) !== undefined))('shows the default of $name', ({ name, value }) => {
    expect(value).toBe(String(defaultOf(name)));
  });

  it('shows values that the code accepts', () => {
    const values = Object.fromEntries(example.filter(({ name }) => VARIABLES.has(name)).map(({ name, value }) => [name, value || FILLED[name]]));
    expect(() => readConfig(ControlConfig, values)).not.toThrow();
    expect(() => readConfig(NodeConfig, values)).not.toThrow();
  });

  it('leaves open exactly what docker-compose.yml asks for', () => {
    const asked = new Set([...read('docker-compose.yml').matchAll(/\$\{(\w+):\?/g)].map((match) => match[1]));
    expect(example.filter(({ set }) => set).map(({ name }) => name).sort()).toEqual([...asked].sort());
  });
});

describe('docker-compose.yml', () => {
  it('has one control plane and two nodes with names of their own', () => {
    expect(ours.filter(([, service]) => !isNode(service)).map(([name]) => name)).toEqual(['control-plane']);
    const names = ours.filter(([, service]) => isNode(service)).map(([, service]) => service.environment?.['WHORL_NODE_NAME']);
    expect(new Set(names).size).toBe(2);
  });

  it.each(ours)('gives %s settings that its process accepts, and nothing that it does not read', (_, service) => {
    const schema: z.ZodObject = isNode(service) ? NodeConfig : ControlConfig;
    const environment = Object.fromEntries(Object.entries(service.environment ?? {}).map(([name, value]) => [name, fill(value)]));
    expect(() => readConfig(schema, environment)).not.toThrow();
    expect(Object.keys(environment).filter((name) => !(name in schema.shape))).toEqual([]);
  });

  it.each(ours)('publishes the port that %s listens on', (_, { environment, ports, ...service }) => {
    const port = environment?.[isNode(service as Service) ? 'WHORL_HTTP_PORT' : 'WHORL_API_PORT'];
    expect(ports?.map((mapping) => mapping.split(':').at(-1))).toEqual([port]);
  });

  it.each(ours)('runs a program in %s that the build makes', (_, service) => {
    const program = service.command?.at(-1) ?? '';
    expect(existsSync(at(program.replace(/^dist/, 'src').replace(/\.js$/, '.ts')))).toBe(true);
  });

  it('points every URL at a service that exists, waits for what it needs, and declares its volumes', () => {
    for (const [, { environment = {}, depends_on = {}, volumes = [] }] of ours) {
      const hosts = Object.values(environment).map(fill).filter((value) => URL.canParse(value) && value.includes('//')).map((value) => new URL(value).hostname);
      for (const host of [...hosts, ...Object.keys(depends_on)]) expect(Object.keys(compose.services)).toContain(host);
      for (const volume of volumes) expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0]);
    }
  });

  it('keeps the state of each node in a volume at its WHORL_NODE_DIR', () => {
    for (const [, { environment, volumes }] of ours.filter(([, service]) => isNode(service))) {
      expect(volumes?.map((volume) => volume.split(':')[1])).toEqual([environment?.['WHORL_NODE_DIR']]);
    }
  });
});

describe('Dockerfile', () => {
  const dockerfile = read('Dockerfile');

  it('uses the Node.js version that package.json pins, in each stage', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
    const versions = [...dockerfile.matchAll(/^FROM node:([\d.]+)-/gm)].map((match) => match[1]);
    expect(versions).toHaveLength(3);
    expect(new Set(versions)).toEqual(new Set([dependencies['node']]));
  });

  it('does not run as root', () => {
    expect(dockerfile.lastIndexOf('USER node')).toBeGreaterThan(dockerfile.lastIndexOf('\nRUN'));
  });

  it('copies only what exists, and what .dockerignore lets through', () => {
    const allowed = read('.dockerignore').split('\n').filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap((match) => (match[1] ?? '').split(' '));
    for (const path of copied) {
      expect(existsSync(at(path))).toBe(true);
      expect(allowed.some((one) => path === one || path.startsWith(`${one}/`))).toBe(true);
    }
  });

  it('exposes the default ports, starts a program that exists, and sets only known variables', () => {
    expect(dockerfile).toContain(`EXPOSE ${String(defaultOf('WHORL_HTTP_PORT'))} ${String(defaultOf('WHORL_API_PORT'))}\n`);
    expect(dockerfile).toMatch(/CMD \["node", "dist\/bin\/control-plane\.js"\]\n$/);
    expect(existsSync(at('src/bin/control-plane.ts'))).toBe(true);
    for (const [, name] of dockerfile.matchAll(/\b(WHORL_\w+)=/g)) expect(VARIABLES).toContain(name);
  });
});

describe('docs/operating.md', () => {
  it.each(LIMIT_NAMES)('has the setting and the key of the limit %s', (name) => {
    expect(read('docs/operating.md')).toContain(`\`${toLimitKey(name).toUpperCase()}\`, \`${toLimitKey(name)}\``);
  });
});

describe('the Helm chart', () => {
  const template = (name: string): string => read(`deploy/helm/whorl/templates/${name}.yaml`);
  const namesIn = (text: string): string[] => [...text.matchAll(/(?:name: |"name" ")([A-Z][A-Z0-9_]+)/g)].map((match) => match[1]!).filter((name) => name !== 'POD_IP');
  const values = load(read('deploy/helm/whorl/values.yaml')) as Record<string, unknown>;

  it.each([['control-plane', ControlConfig], ['nodes', NodeConfig]] as const)('gives %s no setting that its process does not read', (name, schema) => {
    const names = namesIn(template(name));
    expect(names.length).toBeGreaterThan(8);
    expect(names.filter((each) => !(each in schema.shape))).toEqual([]);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each([['control-plane', ControlConfig], ['nodes', NodeConfig]] as const)('gives %s everything that it cannot do without', (name, schema) => {
    const required = Object.entries(schema.shape).filter(([, type]) => !(type as z.ZodType).safeParse(undefined).success).map(([key]) => key);
    expect(namesIn(template(name))).toEqual(expect.arrayContaining(required));
  });

  it('switches the variables off that Kubernetes makes of services, which would stop a process', () => {
    for (const name of ['control-plane', 'nodes']) expect(template(name)).toContain('enableServiceLinks: false');
  });

  it('opens the ports that the processes listen on', () => {
    const listened = (text: string): string[] => [...text.matchAll(/name: WHORL_\w+, value: "(?:0\.0\.0\.0:)?(\d{4})"/g)].map((match) => match[1]!).sort();
    const opened = (text: string): string[] => [...text.matchAll(/containerPort: (\d+)/g)].map((match) => match[1]!).sort();
    for (const name of ['control-plane', 'nodes']) expect(opened(template(name))).toEqual(listened(template(name)));
  });

  it('reads values that there are', () => {
    const used = new Set(['control-plane', 'nodes'].flatMap((name) => [...template(name).matchAll(/\.Values\.([A-Za-z.]+)/g)].map((match) => match[1]!)));
    const valueAt = (path: string): unknown => path.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], values);
    expect([...used].filter((path) => valueAt(path) === undefined)).toEqual([]);
  });
});
