import type { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import type { TomlDocument, TomlPath } from './toml.js';

export interface ManifestWarning {
  line: number;
  /** `component.hello.files[0]` */
  path: string;
  message: string;
}

type Kind = 'BUNDLE_MANIFEST_INVALID' | 'BUNDLE_UNSUPPORTED' | 'BUNDLE_FILE_MISSING';

/** Messages name this many problems; all of them are in `fields`. */
const SHOWN = 5;

/** Collects what is wrong with a manifest, so that one answer names all of it, each with its line. */
export class Problems {
  readonly warnings: ManifestWarning[] = [];
  private readonly found: { kind: Kind; path: string; line: number; message: string }[] = [];

  constructor(private readonly document: Pick<TomlDocument, 'lineOf'>) {}

  invalid(path: TomlPath, message: string): void {
    this.add('BUNDLE_MANIFEST_INVALID', path, message);
  }

  unsupported(path: TomlPath, message: string): void {
    this.add('BUNDLE_UNSUPPORTED', path, message);
  }

  missing(path: TomlPath, message: string): void {
    this.add('BUNDLE_FILE_MISSING', path, message);
  }

  warn(path: TomlPath, message: string): void {
    this.warnings.push({ line: this.document.lineOf(path), path: formatPath(path), message });
  }

  /** Runs a check that throws a WhorlError for a value (a route, a template) and notes what it says at `path`. */
  attempt<T>(path: TomlPath, check: () => T): T | undefined {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof WhorlError)) throw error;
      this.invalid(path, error.message);
      return undefined;
    }
  }

  /** @param base where the parsed value stands in the document */
  schema(base: TomlPath, error: z.ZodError): void {
    for (const issue of error.issues) {
      const path = [...base, ...issue.path.filter((key) => typeof key !== 'symbol')];
      if (issue.code === 'unrecognized_keys') for (const key of issue.keys) this.invalid([...path, key], issue.message);
      else this.invalid(path, issue.code === 'invalid_key' ? issue.issues.map(({ message }) => message).join(', ') : issue.message);
    }
  }

  get any(): boolean {
    return this.found.length > 0;
  }

  /** Throws when anything was found: what is invalid counts more than what is not supported, that more than what is missing. */
  throwIfAny(): void {
    const kind = (['BUNDLE_MANIFEST_INVALID', 'BUNDLE_UNSUPPORTED', 'BUNDLE_FILE_MISSING'] as const).find((code) => this.found.some((problem) => problem.kind === code));
    if (!kind) return;
    const ordered = this.found.toSorted((a, b) => a.line - b.line);
    const lines = ordered.slice(0, SHOWN).map(({ line, path, message }) => `line ${line}${path && `, ${path}`}: ${message}`);
    const more = ordered.length > SHOWN ? [`and ${ordered.length - SHOWN} more`] : [];
    const fields: Record<string, string[]> = {};
    for (const { line, path, message } of ordered) (fields[path || 'spin.toml'] ??= []).push(`line ${line}: ${message}`);
    throw new WhorlError(kind, `spin.toml ${[...lines, ...more].join('; ')}`, { fields });
  }

  private add(kind: Kind, path: TomlPath, message: string): void {
    this.found.push({ kind, path: formatPath(path), line: this.document.lineOf(path), message });
  }
}

export function formatPath(path: TomlPath): string {
  return path.map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i > 0 ? '.' : ''}${/^[\w-]+$/.test(key) ? key : JSON.stringify(key)}`)).join('');
}
