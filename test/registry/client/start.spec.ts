import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { RegistryPlane } from './registry-plane.fixture.js';

it.each(['WHORL_REGISTRY_AUTH_FILE', 'WHORL_REGISTRY_CA_FILE'])('a control plane does not start with a file that is not there: %s', async (name) => {
  const absent = join(tmpdir(), 'whorl-absent');
  await expect(RegistryPlane.start({ [name]: absent })).rejects.toThrow(`${absent} cannot be read`);
}, 60_000);
