import { checkDependencies, type ManifestDependency } from './check-dependencies.js';
import { checkSource, type SourcePlace } from './check-source.js';
import { readLimits, type ComponentLimits } from './component-limits.js';
import { readReuse, type ComponentReuse } from './component-reuse.js';
import type { DraftComponent } from './draft.js';
import { checkOutboundHost, convertHttpHost } from './outbound-host.js';
import type { Problems } from './problems.js';
import type { RawFiles } from './schema-component.js';
import { templateVariables } from './template.js';
import type { TomlPath } from './toml.js';

/** A component with every reference resolved and every default filled in. */
export interface ManifestComponent {
  id: string;
  /** Where it stands in the document. */
  at: TomlPath;
  description?: string;
  source: SourcePlace;
  variables: Record<string, string>;
  environment: Record<string, string>;
  files: RawFiles[];
  excludeFiles: string[];
  allowedOutboundHosts: string[];
  keyValueStores: string[];
  sqliteDatabases: string[];
  aiModels: string[];
  limits: ComponentLimits;
  /** Absent: each request gets a fresh instance. */
  reuse?: ComponentReuse;
  dependencies: ManifestDependency[];
}

/** Names that a component may refer to. */
export interface AppNames {
  variables: ReadonlySet<string>;
  components: ReadonlyMap<string, DraftComponent>;
}

/** Checks one component's source, templates, hosts and dependencies, and gives it with every default filled in. */
export function checkComponent(component: DraftComponent, names: AppNames, problems: Problems): ManifestComponent {
  const { at, id, raw } = component;
  const reuse = readReuse(raw.tool?.whorl?.reuse);
  for (const [name, template] of Object.entries(raw.variables ?? {})) checkTemplate([...at, component.variablesKey, name], template, names, problems);
  return {
    id,
    at,
    ...(raw.description !== undefined && { description: raw.description }),
    source: checkSource(raw.source, [...at, 'source'], problems),
    variables: raw.variables ?? {},
    environment: raw.environment ?? {},
    files: raw.files ?? [],
    excludeFiles: raw.exclude_files ?? [],
    allowedOutboundHosts: checkHosts(component, names, problems),
    keyValueStores: raw.key_value_stores ?? [],
    sqliteDatabases: raw.sqlite_databases ?? [],
    aiModels: raw.ai_models ?? [],
    limits: readLimits(raw.tool?.whorl ?? {}),
    ...(reuse && { reuse }),
    dependencies: checkDependencies(component, names.components, problems),
  };
}

function checkTemplate(at: TomlPath, template: string, names: AppNames, problems: Problems): void {
  for (const variable of problems.attempt(at, () => templateVariables(template)) ?? []) {
    if (!names.variables.has(variable)) problems.invalid(at, `unknown variable "${variable}": the app has ${names.variables.size > 0 ? [...names.variables].join(', ') : 'no [variables]'}`);
  }
}

function checkHosts({ at, raw }: DraftComponent, names: AppNames, problems: Problems): string[] {
  const hosts = [...(raw.allowed_outbound_hosts ?? [])];
  for (const [i, host] of hosts.entries()) {
    const hostAt = [...at, 'allowed_outbound_hosts', i];
    if (host === 'insecure:allow-all') problems.unsupported(hostAt, '"insecure:allow-all" is not supported here; name the hosts, or write "*://*:*"');
    else if (host.includes('{{')) checkTemplate(hostAt, host, names, problems);
    else {
      const problem = checkOutboundHost(host);
      if (problem) problems.invalid(hostAt, `${JSON.stringify(host)}: ${problem}`);
      const chained = /^https?:\/\/([^.*/:]+)\.spin\.internal(?:[:/]|$)/.exec(host)?.[1];
      if (chained && !names.components.has(chained)) problems.warn(hostAt, `there is no component "${chained}" to be reached at ${host}`);
    }
  }
  if (raw.allowed_http_hosts) problems.warn([...at, 'allowed_http_hosts'], 'is deprecated: use allowed_outbound_hosts');
  for (const [i, host] of (raw.allowed_http_hosts ?? []).entries()) {
    const converted = convertHttpHost(host);
    if ('refused' in converted) problems.invalid([...at, 'allowed_http_hosts', i], `${JSON.stringify(host)}: ${converted.refused}`);
    else hosts.push(...converted.hosts);
  }
  return hosts;
}
