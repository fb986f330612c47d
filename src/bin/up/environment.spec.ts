import { describe, expect, it } from '@jest/globals';
import { controlEnvironment, nodeEnvironment } from './environment.js';

const OURS = { PATH: '/bin', AWS_SECRET_ACCESS_KEY: 'x', DATABASE_URL: 'postgres://x', WHORL_LIMIT_CPU_MS: '5', WHORL_LOG_RETENTION_DAYS: '1', WHORL_HTTP_PORT: '1' };

describe('environment of the processes', () => {
  it('gives each what it reads, and nothing else of ours', () => {
    expect(controlEnvironment(OURS, { WHORL_HTTP_PORT: '3000' })).toEqual({
      NODE_ENV: 'production', PATH: '/bin', DATABASE_URL: 'postgres://x', WHORL_LOG_RETENTION_DAYS: '1', WHORL_HTTP_PORT: '3000',
    });
    expect(nodeEnvironment(OURS, { WHORL_HTTP_PORT: '3000' })).toEqual({ NODE_ENV: 'production', PATH: '/bin', WHORL_LIMIT_CPU_MS: '5', WHORL_HTTP_PORT: '3000' });
  });

  it('gives the node the values of variables that providers look for', () => {
    const ours = { SPIN_VARIABLE_API_KEY: 'k', SPIN_CONFIG_X: 'x' };
    expect(nodeEnvironment(ours, {})).toEqual({ NODE_ENV: 'production', SPIN_VARIABLE_API_KEY: 'k' });
    expect(controlEnvironment(ours, {})).toEqual({ NODE_ENV: 'production' });
  });
});
