/** The longest name of one file or folder on the file systems we meet. */
const SEGMENT_MAX_BYTES = 255;

/**
 * Checks and normalises the path of a bundle's entry: relative, `/` between segments, no `.` or `..`. A leading `./` and a trailing `/`
 * are tolerated (`tar -czf x.tgz .` writes both). Returns the path ('' for the root itself), or why it is refused.
 */
export function checkEntryPath(path: string, maxBytes: number): { path: string } | { refused: string } {
  if (path === '') return { refused: 'the name is empty' };
  if (path.includes('\\')) return { refused: 'the name holds a backslash' };
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(path)) return { refused: 'the name holds a NUL or another control character' };
  if (path.startsWith('/')) return { refused: 'the path is absolute' };
  const segments = path.split('/');
  if (segments.at(-1) === '') segments.pop();
  if (segments.includes('..')) return { refused: 'the path holds ".."' };
  if (segments.includes('')) return { refused: 'the path holds an empty segment ("//")' };
  const kept = segments.filter((segment) => segment !== '.');
  if (kept.some((segment) => Buffer.byteLength(segment) > SEGMENT_MAX_BYTES)) return { refused: `a name in the path is longer than ${SEGMENT_MAX_BYTES} bytes` };
  const normal = kept.join('/');
  return Buffer.byteLength(normal) > maxBytes ? { refused: `the path is longer than ${maxBytes} bytes` } : { path: normal };
}

/** A path for a message: quoted, one line, not too long. */
export function quotePath(path: string): string {
  const quoted = JSON.stringify(path);
  return quoted.length > 200 ? `${quoted.slice(0, 197)}…"` : quoted;
}
