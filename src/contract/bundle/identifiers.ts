/**
 * Names in a manifest (Spin's manifest). Each check returns why a name is refused, or undefined.
 */

export function checkKebabId(name: string): string | undefined {
  return checkWords(name, '-', (word) => (/^[a-z0-9]+$/.test(word) || /^[A-Z0-9]+$/.test(word) ? undefined : 'each word must be all lower-case or all upper-case letters and digits'));
}

export function checkLowerSnakeId(name: string): string | undefined {
  return checkWords(name, '_', (word) => (/^[a-z0-9]+$/.test(word) ? undefined : 'words must be lower-case letters and digits'));
}

/** Labels of key-value stores and databases. */
export function checkStoreLabel(label: string): string | undefined {
  return checkKebabId(label) === undefined || /^[A-Za-z][A-Za-z0-9]*(_[A-Za-z][A-Za-z0-9]*)*$/.test(label) ? undefined : 'expected kebab-case or snake_case';
}

function checkWords(name: string, delimiter: '-' | '_', checkWord: (word: string) => string | undefined): string | undefined {
  const wrong = delimiter === '-' ? '_' : '-';
  if (name === '') return 'must not be empty';
  if (name.length > 128) return 'must not be longer than 128 characters';
  if (name.includes(wrong)) return `words must be separated with '${delimiter}', not '${wrong}'`;
  for (const word of name.split(delimiter)) {
    if (word === '') return `must not begin or end with '${delimiter}' or hold two of them`;
    if (!/^[A-Za-z]/.test(word)) return `each word must start with a letter, "${word}" does not`;
    const problem = checkWord(word);
    if (problem) return problem;
  }
  return undefined;
}
