import type { VariableAnswer, VariableQuestion } from '#runtime/capability/variables/variable-source.js';

/** For so long the answers count as the present ones. */
const FRESH_MS = 10_000;
/** So often a provider that fails is asked again: not every request is to wait for it. */
const RETRY_MS = 1_000;

/** Entries of `allowed_outbound_hosts`, some of which hold values that a provider has to be asked for. */
export class HostEntries {
  /** Those that need no question. */
  readonly known: readonly string[];
  private readonly questions: readonly VariableQuestion[];
  private asking: Promise<readonly string[]> | null = null;
  private freshUntilMs = 0;
  private latest: readonly string[];

  constructor(answers: readonly VariableAnswer[]) {
    this.known = answers.filter((answer) => typeof answer === 'string');
    this.questions = answers.filter((answer) => typeof answer !== 'string');
    this.latest = this.known;
  }

  /** All entries as they are now; null: there is nothing to ask, or it was asked a moment ago. Never rejects: what has no answer is left out. */
  ask(): Promise<readonly string[]> | null {
    if (this.questions.length === 0 || performance.now() < this.freshUntilMs) return null;
    return (this.asking ??= this.collect().finally(() => {
      this.asking = null;
    }));
  }

  private async collect(): Promise<readonly string[]> {
    const results = await Promise.allSettled(this.questions.map((question) => question()));
    const entries = [...this.known, ...results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))];
    this.freshUntilMs = performance.now() + (results.every(({ status }) => status === 'fulfilled') ? FRESH_MS : RETRY_MS);
    // the same list as before is the same policy, which is parsed once
    if (entries.join('\n') !== this.latest.join('\n')) this.latest = entries;
    return this.latest;
  }
}
