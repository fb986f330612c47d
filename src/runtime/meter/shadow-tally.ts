import type { VersionNumber } from '#contract/ids.js';
import { type ComponentShadow, MAX_EXAMPLES, type ShadowExample, type ShadowReport, type SkipReason } from '#contract/shadow.js';

const MAX_NAME = 64;

/** How answers of one version to copies compare with what clients got, until somebody takes it. */
export class ShadowTally {
  private components = new Map<string, ComponentShadow>();

  constructor(private readonly version: VersionNumber) {}

  equal(component: string): void {
    this.of(component).equal++;
  }

  different(component: string, example: () => ShadowExample): void {
    const counts = this.of(component);
    counts.different++;
    if (counts.examples.length < MAX_EXAMPLES) counts.examples.push(example());
  }

  skipped(component: string, reason: SkipReason): void {
    const { skipped } = this.of(component);
    skipped[reason] = (skipped[reason] ?? 0) + 1;
  }

  /** Hands over what was counted, and begins anew. undefined: nothing was. */
  take(): ShadowReport | undefined {
    if (this.components.size === 0) return undefined;
    const components = [...this.components.values()];
    this.components = new Map();
    return { version: this.version, components };
  }

  private of(name: string): ComponentShadow {
    const component = name.slice(0, MAX_NAME);
    let counts = this.components.get(component);
    if (!counts) this.components.set(component, (counts = { component, equal: 0, different: 0, skipped: {}, examples: [] }));
    return counts;
  }
}
