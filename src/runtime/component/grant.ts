import { join } from 'node:path';
import { parseTemplate, type TemplatePart } from '#contract/bundle/template.js';
import type { LockedApp, LockedComponent } from '#contract/bundle/locked-app.js';
import { WhorlError } from '#contract/errors.js';
import type { Digest } from '#contract/ids.js';
import { NO_RUNTIME_GRANT, type RuntimeGrant } from '#contract/runtime-grant.js';
import type { GuestSettings } from '#runtime/capability/guest-settings.js';
import type { GrantedFile, GuestGrant } from '#runtime/capability/guest.js';
import { VariableSource, type VariableAnswer } from '#runtime/capability/variables/variable-source.js';
import { HostEntries } from './host-entries.js';
import { toLimits, type Limits, type PlatformLimits } from './limits.js';

/** Where a version runs and what the operator grants; the same for all its components. */
export interface GrantScope {
  org: string;
  app: string;
  version: number;
  /** Folder for the data of all apps on this node. */
  stateDir: string;
  allowPrivateHosts: boolean;
  /** See `GuestGrant`. */
  refusesEffects: boolean;
  settings: GuestSettings;
  limits: PlatformLimits;
  blobPath(digest: Digest): string;
}

/**
 * Where the app's variables have their values. Throws COMPONENT_VARIABLE_MISSING for a required one that has none and that no provider has
 * to be asked for: whether a provider has it is known when a guest asks.
 */
export function toVariableSource(app: LockedApp, set: Readonly<Record<string, string>>, { variablesProviders }: RuntimeGrant): VariableSource {
  const source = new VariableSource(app.variables, set, variablesProviders);
  const [missing] = source.missing;
  if (missing !== undefined) throw new WhorlError('COMPONENT_VARIABLE_MISSING', `the variable "${missing}" has no value`);
  return source;
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
  readonly refusesEffects: boolean;
  readonly settings: GuestSettings;
  readonly limits: Limits;
  variables: ReadonlyMap<string, VariableAnswer> = new Map();
  runtime: RuntimeGrant = NO_RUNTIME_GRANT;
  allowedOutboundHosts: readonly string[] = [];
  private readonly variableTemplates: [string, TemplatePart[]][];
  private readonly hostTemplates: TemplatePart[][];
  private hosts = new HostEntries([]);

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
    this.refusesEffects = scope.refusesEffects;
    this.settings = scope.settings;
    this.limits = toLimits(component.limits, scope.limits);
    this.variableTemplates = Object.entries(component.variables).map(([name, template]) => [name, parseTemplate(template)]);
    this.hostTemplates = component.allowedOutboundHosts.map((template) => parseTemplate(template));
  }

  /** Puts values in; later invocations see the new ones, running ones at their next look. */
  setValues(source: VariableSource, runtime: RuntimeGrant): void {
    this.runtime = runtime;
    this.variables = new Map(this.variableTemplates.map(([name, template]) => [name, expand(template, source)]));
    this.hosts = new HostEntries(this.hostTemplates.map((template) => expand(template, source)));
    this.allowedOutboundHosts = this.hosts.known;
  }

  /** Whether a provider has to be asked for some variable. */
  get asksForVariables(): boolean {
    return [...this.variables.values()].some((answer) => typeof answer !== 'string');
  }

  /**
   * Before an invocation: a promise when entries of `allowedOutboundHosts` hold values that a provider has to be asked for; null: all is
   * there. An entry whose values cannot be had allows nothing.
   */
  freshen(): Promise<void> | null {
    const { hosts } = this;
    const asked = hosts.ask();
    return asked && asked.then((entries) => {
      if (this.hosts === hosts) this.allowedOutboundHosts = entries;
    });
  }
}

/** A template with values put in; a question when one of them is. Throws BUNDLE_TEMPLATE_INVALID for a variable that the app has not. */
function expand(template: readonly TemplatePart[], source: VariableSource): VariableAnswer {
  const parts = template.map((part): VariableAnswer => {
    if ('text' in part) return part.text;
    const answer = source.find(part.variable);
    if (answer === undefined) throw new WhorlError('BUNDLE_TEMPLATE_INVALID', `unknown variable "${part.variable}"`);
    return answer;
  });
  if (parts.every((part) => typeof part === 'string')) return parts.join('');
  return async () => (await Promise.all(parts.map((part) => (typeof part === 'string' ? part : part())))).join('');
}
