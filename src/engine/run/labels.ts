/** `content-length` -> `contentLength`, `HTTP-status` -> `httpStatus`: keys of records and flags, as jco spells them. */
export function camelCase(label: string): string {
  const [first = '', ...rest] = label.split('-');
  return first.toLowerCase() + rest.map((word) => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase()).join('');
}
