import { describe, expect, it } from '@jest/globals';
import type { Capability } from '../diff/capability.schema.js';
import { staysOf } from './stays.js';

const asked = (kind: Capability['kind'], name: string): Capability => ({ kind, name, components: ['web'] });

describe(staysOf.name, () => {
  it('names each store and each place that something was sent to, once', () => {
    const served = [asked('key-value-store', 'default'), asked('key-value-store', 'default'), asked('sqlite-database', 'shop'), asked('outbound-host', 'https://pay.example'), asked('ai-model', 'llama')];
    expect(staysOf(served).map(({ kind, name }) => [kind, name])).toEqual([['key-value', 'default'], ['sqlite', 'shop'], ['outbound', 'https://pay.example'], ['operator', 'runtime configuration and stores']]);
  });
});
