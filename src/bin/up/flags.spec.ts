import { describe, expect, it } from '@jest/globals';
import { parseFlags } from './flags.js';

describe(parseFlags.name, () => {
  it('has a default for everything', () => {
    expect(parseFlags([], '/home/ada')).toEqual({ help: false, dataDir: '/home/ada/.whorl', apiPort: undefined, httpPort: undefined, example: undefined });
  });

  it('reads each flag, paths from where the user stands', () => {
    expect(parseFlags(['--data-dir', 'data', '--api-port=0', '--http-port', '3100', '--example', 'a.tar.gz'], '/srv')).toEqual({
      help: false, dataDir: '/srv/data', apiPort: 0, httpPort: 3100, example: '/srv/a.tar.gz',
    });
  });

  it('lets --no-example win', () => {
    expect(parseFlags(['--example', 'a.tar.gz', '--no-example'], '/srv').example).toBeUndefined();
  });

  it.each([
    [['--api-prot', '4000'], /--api-prot/],
    [['serve'], /serve/],
    [['--api-port', '65536'], /--api-port: expected a port from 0 to 65535, got '65536'/],
    [['--http-port', 'http'], /--http-port/],
    [['--data-dir'], /--data-dir/],
    [['--no-example=yes'], /--no-example/],
  ])('refuses %j in one line that names it', (args, message) => {
    const refused = expect.objectContaining({ code: 'UP_FLAG_INVALID', message: expect.stringMatching(message) });
    expect(() => parseFlags(args)).toThrow(refused);
    expect(() => parseFlags(args)).toThrow(expect.objectContaining({ message: expect.not.stringContaining('\n') }));
  });
});
