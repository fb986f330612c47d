import type { z } from 'zod';
import { WhorlError } from '#contract/errors.js';
import type { TomlPath } from './toml.js';

/** What is checked, and where its parts stand. */
export interface CheckedDocument {
  /** As messages call it. */
  name: string;
  /** Line of a key, or of the nearest part around it; undefined where lines say nothing. */
  lineOf(path: TomlPath): number | undefined;
  /** Where what a manifest has at a path stands in this document, when that is elsewhere. */
  pathOf?(path: TomlPath): TomlPath;
}

export interface ManifestWarning {
  line: number | undefined;
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
  private readonly found: { kind: Kind; path: string; line: number | undefined; message: string }[] = [];

  constructor(private readonly document: CheckedDocument) {}

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
    this.warnings.push({ line: this.document.lineOf(path), path: this.pathIn(path), message });
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
    const { name } = this.document;
    const ordered = this.found.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0));
    const lines = ordered.slice(0, SHOWN).map(formatProblem);
    const more = ordered.length > SHOWN ? [`and ${ordered.length - SHOWN} more`] : [];
    const fields: Record<string, string[]> = {};
    for (const { line, path, message } of ordered) (fields[path || name] ??= []).push(line === undefined ? message : `line ${line}: ${message}`);
    throw new WhorlError(kind, `${name} ${[...lines, ...more].join('; ')}`, { fields });
  }

  private add(kind: Kind, path: TomlPath, message: string): void {
    this.found.push({ kind, path: this.pathIn(path), line: this.document.lineOf(path), message });
  }

  private pathIn(path: TomlPath): string {
    return formatPath(this.document.pathOf?.(path) ?? path);
  }
}

/** `line 7, component.hello.source: is required` */
export function formatProblem({ line, path, message }: ManifestWarning): string {
  const place = [...(line === undefined ? [] : [`line ${line}`]), ...(path === '' ? [] : [path])].join(', ');
  return place === '' ? message : `${place}: ${message}`;
}

export function formatPath(path: TomlPath): string {
  return path.map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i > 0 ? '.' : ''}${/^[\w-]+$/.test(key) ? key : JSON.stringify(key)}`)).join('');
}
