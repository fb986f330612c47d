/** Why a variable's name is not one, in Spin's words (its expressions crate, Key); null: it is. */
export function nameFault(name: string): string | null {
  if (name === '') return 'must not be empty';
  const wrong = /[^a-z0-9_]/u.exec(name);
  if (wrong) return `invalid character '${wrong[0]}'. Variable names may contain only lower-case letters, numbers, and underscores.`;
  if (!/^[a-z]/.test(name)) return 'must start with a lowercase ASCII letter';
  if (!/[a-z0-9]$/.test(name)) return 'must end with a lowercase ASCII letter or digit';
  if (name.includes('__')) return 'must not contain multiple consecutive underscores';
  return null;
}
