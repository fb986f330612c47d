import { z } from 'zod';
import { isTable } from '#contract/bundle/schema.js';
import { parseToml } from '#contract/bundle/toml.js';
import { WhorlError } from '#contract/errors.js';
import { AnalysisPolicy, DEFAULT_POLICY } from './analysis/policy.js';
import { readPolicy, readSnake } from './analysis/read-policy.js';
import { parseStrategy } from './analysis/strategy.js';
import { NO_SHADOW_SETTINGS, ShadowSettings } from './shadow/shadow-settings.js';

const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/;

/** Of a request: how versions come to be served. */
export const StrategyText = z
  .string()
  .max(1_000)
  .superRefine((text, context) => {
    const problem = problemOf(text);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  })
  .describe('`now`; or `steps:10@30s,50@30s`: the share of requests in percent, and how long until the next step, or `@manual`: until an approval that names the step. After the last one it has all requests. `shadow:20@5m`: first copies of so many percent of the requests, whose answers nobody sees, then all requests; or `shadow:20@5m,steps:10@30s`: then shares.');

/** Of a push. */
export const PushStrategy = z
  .string()
  .max(1_000)
  .superRefine((text, context) => {
    const problem = text === 'none' ? undefined : problemOf(text);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  })
  .describe('`none` stores the version without serving it; `now`, `steps:10@30s,50@30s` or `shadow:20@5m,steps:10@30s` serve it so. Without it as the channel or the manifest says, else at once.');

export const KeyHeader = z
  .string()
  .regex(FIELD_NAME, 'expected the name of a header field')
  .describe('Requests with the same value of this header field get the same version; those without it by a cookie, or the client\'s address.');

const Analysis = AnalysisPolicy.superRefine((policy, context) => {
  const problem = policyProblemOf(policy);
  if (problem !== undefined) context.addIssue({ code: 'custom', path: ['onInsufficientData'], message: problem });
});

/** What a call, a channel or a manifest says; what it leaves out, the next one says. */
export const RolloutSettings = z.strictObject({
  strategy: StrategyText.optional(),
  keyHeader: KeyHeader.optional(),
  analysis: Analysis.optional().describe('How a version with a share of the requests is judged beside the old one; what is left out has defaults.'),
  shadow: ShadowSettings.optional().describe('How answers to copies of requests are compared.'),
  keepVariables: z.boolean().optional().describe('A way back, by hand or by the verdict, leaves the variables as they are; without it they get back the values that the version was last served with.'),
});
export type RolloutSettings = z.infer<typeof RolloutSettings>;

export interface ResolvedSettings {
  strategy: string;
  keyHeader: string | null;
  policy: AnalysisPolicy;
  shadow: ShadowSettings;
  keepVariables: boolean;
}

/** The first that says something counts. */
export function resolveSettings(...layers: RolloutSettings[]): ResolvedSettings {
  const first = <K extends keyof RolloutSettings>(key: K): RolloutSettings[K] => layers.find((layer) => layer[key] !== undefined)?.[key];
  return { strategy: first('strategy') ?? 'now', keyHeader: first('keyHeader') ?? null, policy: first('analysis') ?? DEFAULT_POLICY, shadow: first('shadow') ?? NO_SHADOW_SETTINGS, keepVariables: first('keepVariables') ?? false };
}

/**
 * `[application.tool.whorl]` of a manifest: `rollout`, `key_header`, and the tables `analysis` and `shadow`. Throws BUNDLE_MANIFEST_INVALID with every problem. What is no
 * TOML (a locked app that another tool has pushed) says nothing.
 */
export function settingsOfManifest(text: string): RolloutSettings {
  if (/^\s*\{/.test(text)) return {};
  const { value, lineOf } = parseToml(text);
  const path = ['application', 'tool', 'whorl'];
  const raw = path.reduce<unknown>((table, key) => (isTable(table) ? table[key] : undefined), value);
  if (raw === undefined) return {};
  const problems: string[] = [];
  const note = (key: string, message: string): void => void problems.push(`line ${lineOf([...path, ...key.split('.')])}, ${[...path, key].join('.')}: ${message}`);
  const settings = isTable(raw) ? readWhorl(raw, note) : {};
  if (problems.length > 0) throw new WhorlError('BUNDLE_MANIFEST_INVALID', `spin.toml ${problems.join('; ')}`);
  return settings;
}

function readWhorl({ rollout, key_header: keyHeader, analysis, shadow, ...unknown }: Record<string, unknown>, note: (key: string, message: string) => void): RolloutSettings {
  for (const key of Object.keys(unknown)) note(key, 'unknown key; known here: rollout, key_header, analysis, shadow');
  const settings: RolloutSettings = {};
  if (rollout !== undefined) {
    const parsed = StrategyText.safeParse(rollout);
    if (parsed.success) settings.strategy = parsed.data;
    else note('rollout', parsed.error.issues[0]!.message);
  }
  if (keyHeader !== undefined) {
    const parsed = KeyHeader.safeParse(keyHeader);
    if (parsed.success) settings.keyHeader = parsed.data;
    else note('key_header', parsed.error.issues[0]!.message);
  }
  if (shadow !== undefined) {
    const read = readSnake(ShadowSettings, shadow);
    if (!('problems' in read)) settings.shadow = read.value;
    else for (const { key, message } of read.problems) note(key === '' ? 'shadow' : `shadow.${key}`, message);
  }
  if (analysis === undefined) return settings;
  const policy = readPolicy(analysis);
  if ('problems' in policy) for (const { key, message } of policy.problems) note(key === '' ? 'analysis' : `analysis.${key}`, message);
  else {
    const problem = policyProblemOf(policy);
    if (problem === undefined) settings.analysis = policy;
    else note('analysis.on_insufficient_data', problem);
  }
  return settings;
}

function problemOf(text: string): string | undefined {
  const parsed = parseStrategy(text);
  return 'problem' in parsed ? parsed.problem : undefined;
}

function policyProblemOf({ onInsufficientData }: AnalysisPolicy): string | undefined {
  return onInsufficientData === 'probe' ? 'probes cannot be sent; expected pause or go-on' : undefined;
}
