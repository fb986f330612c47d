import { describe, expect, it } from '@jest/globals';
import { isAllowedAddress } from './reachable-address.js';

describe(isAllowedAddress.name, () => {
  it.each(['93.184.216.34', '2606:2800:220:1:248:1893:25c8:1946'])('allows the public address %s', (address) => expect(isAllowedAddress(address, false)).toBe(true));
  it.each(['127.0.0.1', '10.1.2.3', '192.168.0.1', '172.16.0.1', '::1', 'fd00::1', '::ffff:10.0.0.1'])('allows the private address %s only when told to', (address) => {
    expect(isAllowedAddress(address, false)).toBe(false);
    expect(isAllowedAddress(address, true)).toBe(true);
  });
  it.each(['169.254.169.254', '::ffff:169.254.169.254', 'fe80::1', 'fd00:ec2::254', '0.0.0.0', '::', '224.0.0.1', '255.255.255.255', '100.64.0.1', '64:ff9b::7f00:1', '2002:7f00:1::', 'nonsense'])(
    'never allows %s',
    (address) => expect(isAllowedAddress(address, true)).toBe(false),
  );
});
