/**
 * Names in the folder of journals:
 *
 *   journals/
 *   └── <incarnation>-<runner>-<part>.jsonl     one runner's journal, in parts; each part is a journal of its own to the control plane
 */
export interface JournalName {
  writer: string;
  part: number;
}

const SUFFIX = '.jsonl';

export function toJournalFile({ writer, part }: JournalName): string {
  return `${writer}-${part}${SUFFIX}`;
}

/** undefined for a file that is no journal. */
export function parseJournalFile(file: string): JournalName | undefined {
  const match = /^(.+)-(\d+)\.jsonl$/.exec(file);
  return match ? { writer: match[1]!, part: Number(match[2]) } : undefined;
}

/** What the control plane knows the journal by. */
export function toJournalId(file: string): string {
  return file.slice(0, -SUFFIX.length);
}
