import { crc32 } from 'node:zlib';
import { JournalEntry } from '#contract/journal.js';

/**
 * One entry, one line of a journal file:
 *
 *   1c291ca3 {"seq":1,"record":{…}}\n
 *   └ CRC-32 of the JSON, 8 hex digits
 *
 * A line that was cut off by a crash has no newline or a wrong sum, and nothing behind it counts.
 */
export function toJournalLine(entry: JournalEntry): string {
  const json = JSON.stringify(entry);
  return `${checksum(json)} ${json}\n`;
}

export interface ParsedLines {
  entries: JournalEntry[];
  /** Length of the lines that were read, newlines included. */
  bytes: number;
  /** True when a complete line is damaged: what follows cannot be trusted. */
  corrupt: boolean;
}

/** Reads complete lines from the start of `bytes`, at most `maxEntries`; an incomplete last one is left alone. */
export function parseJournalLines(bytes: Buffer, maxEntries: number): ParsedLines {
  const entries: JournalEntry[] = [];
  let from = 0;
  while (entries.length < maxEntries) {
    const end = bytes.indexOf(10, from);
    if (end < 0) break;
    const entry = parseLine(bytes.toString('utf8', from, end));
    if (!entry) return { entries, bytes: from, corrupt: true };
    entries.push(entry);
    from = end + 1;
  }
  return { entries, bytes: from, corrupt: false };
}

function parseLine(line: string): JournalEntry | undefined {
  const json = line.slice(9);
  if (line[8] !== ' ' || line.slice(0, 8) !== checksum(json)) return undefined;
  const parsed = JournalEntry.safeParse(JSON.parse(json));
  return parsed.success ? parsed.data : undefined;
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, '0');
}
