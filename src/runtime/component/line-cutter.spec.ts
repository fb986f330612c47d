import { describe, expect, it } from '@jest/globals';
import { LineCutter } from './line-cutter.js';

function cut(chunks: (string | Uint8Array)[], maxLineBytes = 16): string[] {
  const lines: string[] = [];
  const cutter = new LineCutter((line) => lines.push(line), maxLineBytes);
  for (const chunk of chunks) cutter.write(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
  cutter.end();
  return lines;
}

describe(LineCutter.name, () => {
  it.each([
    ['one line in one write', ['one\n'], ['one']],
    ['lines over several writes', ['o', 'ne\ntw', 'o\n'], ['one', 'two']],
    ['a last line without a newline', ['one\ntwo'], ['one', 'two']],
    ['CRLF', ['one\r\ntwo\r\n'], ['one', 'two']],
    ['empty lines', ['\n\na\n'], ['', '', 'a']],
    ['a long line cut into several', ['0123456789abcdefXYZ\n'], ['0123456789abcdef', 'XYZ']],
    ['a line as long as allowed', ['0123456789abcdef\n'], ['0123456789abcdef']],
    ['no cut inside a character', ['0123456789abcdé!\n'], ['0123456789abcdé', '!']],
  ])('gives %s', (_what, chunks, lines) => {
    expect(cut(chunks)).toEqual(lines);
  });

  it('joins a character that came in two writes', () => {
    const [first, second] = [Buffer.from('é').subarray(0, 1), Buffer.from('é\n').subarray(1)];
    expect(cut([first, second])).toEqual(['é']);
  });

  it('keeps what it was lent only for the call', () => {
    const bytes = Buffer.from('lent');
    const lines: string[] = [];
    const cutter = new LineCutter((line) => lines.push(line));
    cutter.write(bytes);
    bytes.fill('x');
    cutter.end();
    expect(lines).toEqual(['lent']);
  });
});
