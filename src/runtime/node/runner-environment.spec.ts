import { describe, expect, it } from '@jest/globals';
import { runnerEnvironment } from './runner-environment.js';

describe('runnerEnvironment', () => {
  it('takes the token and everything else out that a runner does not need', () => {
    const ours = { WHORL_NODE_TOKEN: 'secret', WHORL_API_URL: 'http://x', PATH: '/bin', NODE_OPTIONS: '--inspect', HOME: '/root', TZ: 'UTC', DATABASE_URL: 'postgres://' };
    const merged = Object.entries({ ...ours, ...runnerEnvironment(ours) }).filter(([, value]) => value !== undefined);
    expect(Object.fromEntries(merged)).toEqual({ TZ: 'UTC', NODE_ENV: 'production' });
  });

  it('leaves the identity of the node at a cloud, which stores without keys of their own are reached by', () => {
    expect(Object.keys(runnerEnvironment({ AWS_ROLE_ARN: 'arn', AZURE_CLIENT_ID: 'id', MY_AWS_KEY: 'x' }))).toEqual(['MY_AWS_KEY', 'NODE_ENV']);
  });
});
