import { join } from 'node:path';
import { expandTemplate, parseTemplate, type TemplatePart } from '#contract/bundle/template.js';
import type { LockedApp, LockedComponent } from '#contract/bundle/locked-app.js';
import { WhorlError } from '#contract/errors.js';
import type { Digest } from '#contract/ids.js';
import { NO_RUNTIME_GRANT, type RuntimeGrant } from '#contract/runtime-grant.js';
import type { GuestSettings } from '#runtime/capability/guest-settings.js';
import type { GrantedFile, GuestGrant } from '#runtime/capability/guest.js';
import { toLimits, type Limits, type PlatformLimits } from './limits.js';

/** Where a version runs and what the operator grants; the same for all its components. */
export interface GrantScope {
  org: string;
  app: string;
  version: number;
  /** Folder for the data of all apps on this node. */
  stateDir: string;
  allowPrivateHosts: boolean;
  settings: GuestSettings;
  limits: PlatformLimits;
  blobPath(digest: Digest): string;
}

/** Values for templates: what was set, else the manifest's default. Throws COMPONENT_VARIABLE_MISSING for a required one without a value. */
export function toVariableValues(app: LockedApp, set: Readonly<Record<string, string>>): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, variable] of Object.entries(app.variables)) {
    const value = Object.hasOwn(set, name) ? set[name] : variable.default;
    if (value === undefined) throw new WhorlError('COMPONENT_VARIABLE_MISSING', `the variable "${name}" has no value`);
    values[name] = value;
  }
  return values;
}

/** What one component of one version may use. Only the values of its variables and the runtime configuration change. */
export class ComponentGrant implements GuestGrant {
  readonly org: string;
  readonly app: string;
  readonly version: number;
  readonly component: string;
  readonly environment: readonly (readonly [string, string])[];
  readonly files: readonly GrantedFile[];
  readonly components: readonly string[];
  readonly keyValueStores: readonly string[];
  readonly sqliteDatabases: readonly string[];
  readonly aiModels: readonly string[];
  readonly stateDir: string;
  readonly orgDir: string;
  readonly allowPrivateHosts: boolean;
  readonly settings: GuestSettings;
  readonly limits: Limits;
  variables: ReadonlyMap<string, string> = new Map();
  runtime: RuntimeGrant = NO_RUNTIME_GRANT;
  allowedOutboundHosts: readonly string[] = [];
  private readonly variableTemplates: [string, TemplatePart[]][];
  private readonly hostTemplates: TemplatePart[][];

  constructor(component: LockedComponent, chainable: readonly string[], scope: GrantScope) {
    this.org = scope.org;
    this.app = scope.app;
    this.version = scope.version;
    this.component = component.id;
    this.environment = Object.entries(component.environment);
    this.files = component.files.map(({ path, digest, bytes }) => ({ path, localPath: scope.blobPath(digest), bytes }));
    this.components = chainable;
    this.keyValueStores = component.keyValueStores;
    this.sqliteDatabases = component.sqliteDatabases;
    this.aiModels = component.aiModels;
    this.orgDir = join(scope.stateDir, scope.org);
    this.stateDir = join(this.orgDir, scope.app);
    this.allowPrivateHosts = scope.allowPrivateHosts;
    this.settings = scope.settings;
    this.limits = toLimits(component.limits, scope.limits);
    this.variableTemplates = Object.entries(component.variables).map(([name, template]) => [name, parseTemplate(template)]);
    this.hostTemplates = component.allowedOutboundHosts.map((template) => parseTemplate(template));
  }

  /** Puts values in; later invocations see the new ones, running ones at their next look. */
  setValues(values: Readonly<Record<string, string>>, runtime: RuntimeGrant): void {
    this.runtime = runtime;
    this.variables = new Map(this.variableTemplates.map(([name, template]) => [name, expandTemplate(template, values)]));
    this.allowedOutboundHosts = this.hostTemplates.map((template) => expandTemplate(template, values));
  }
}
