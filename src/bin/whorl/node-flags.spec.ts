import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { readNodeFlags } from './node-flags.js';

const dir = mkdtempSync(join(tmpdir(), 'whorl-flags-'));
afterAll(() => rmSync(dir, { recursive: true }));

describe(readNodeFlags, () => {
  it('takes what a first start needs', () => {
    expect(readNodeFlags(['--join', 'https://10.0.0.1:4443', '--token', 't', '--name', 'web-1', '--dir', 'node', '--listen', '0.0.0.0', '--http-port', '80'], '/srv')).toEqual({
      WHORL_API_URL: 'https://10.0.0.1:4443', WHORL_JOIN_TOKEN: 't', WHORL_NODE_NAME: 'web-1', WHORL_NODE_DIR: '/srv/node', WHORL_LISTEN: '0.0.0.0', WHORL_HTTP_PORT: '80',
    });
  });

  it('needs nothing later', () => {
    expect(readNodeFlags([], '/srv')).toEqual({ WHORL_NODE_DIR: '/srv/.whorl-node' });
    expect(readNodeFlags([], '/srv', '/var/lib/node')).toEqual({ WHORL_NODE_DIR: '/var/lib/node' });
  });

  it('reads the token from a file', () => {
    writeFileSync(join(dir, 'token'), 'secret\n');
    expect(readNodeFlags(['--token-file', 'token'], dir)).toMatchObject({ WHORL_JOIN_TOKEN: 'secret' });
  });

  it('shows its text when asked', () => {
    expect(readNodeFlags(['--help'], '/')).toBeUndefined();
  });

  it.each([[['--colour', 'red'], /--colour/], [['--token-file', 'missing'], /--token-file: ENOENT/], [['--token', 'a', '--token-file', 'b'], /one of them/], [['web-1'], /web-1/]])('refuses %p', (args, reason) => {
    expect(() => readNodeFlags(args, dir)).toThrow(expect.objectContaining({ code: 'NODE_CONFIG_INVALID', message: expect.stringMatching(reason) }));
  });
});
