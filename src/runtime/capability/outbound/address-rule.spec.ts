import { describe, expect, it } from '@jest/globals';
import { addressFault } from './address-rule.js';

describe(addressFault.name, () => {
  it.each(['1.1.1.1', '93.184.216.34', '2606:4700:4700::1111', '::ffff:8.8.8.8'])('lets %s through', (address) => {
    expect(addressFault(address, false)).toBeNull();
    expect(addressFault(address, true)).toBeNull();
  });

  it.each([
    '127.0.0.1', '127.255.0.9', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', '::1', 'fc00::1', 'fd12:3456::1',
    '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:a00:1', '2002:7f00:1::', '64:ff9b::10.0.0.1', '::7f00:1', '0:0:0:0:0:0:0:1',
  ])('lets %s through only when the operator grants private addresses', (address) => {
    expect(addressFault(address, false)).toBe('private');
    expect(addressFault(address, true)).toBeNull();
  });

  it.each([
    '169.254.169.254', '169.254.0.1', 'fe80::1', 'fe80::1%eth0', '::ffff:169.254.169.254', '::ffff:a9fe:a9fe', '64:ff9b::a9fe:a9fe',
    '2002:a9fe:a9fe::', 'fd00:ec2::254', 'fd20:ce::254', '100.100.100.200', '168.63.129.16', '192.0.0.192', '0.0.0.0', '::',
    '224.0.0.1', 'ff02::1', '255.255.255.255', '240.0.0.1', 'not an address', '',
  ])('never lets %s through', (address) => {
    expect(addressFault(address, false)).toBe('never');
    expect(addressFault(address, true)).toBe('never');
  });

  it.each([
    ['93.184.216.34', ['93.184.0.0/16'], 'blocked'],
    ['::ffff:93.184.216.34', ['93.184.0.0/16'], 'blocked'],
    ['2002:5db8:d822::', ['93.184.0.0/16'], 'blocked'],
    ['2002:5db8:d822::', ['2002::/16'], 'blocked'],
    ['93.184.216.34', ['8.8.8.8', '93.184.216.34'], 'blocked'],
    ['93.184.216.35', ['8.8.8.8', '93.184.216.34'], null],
    ['2606:4700:4700::1111', ['0.0.0.0/0'], null],
    ['2606:4700:4700::1111', ['::/0'], 'blocked'],
    ['127.0.0.1', ['private'], 'blocked'],
    ['::1', ['private'], 'blocked'],
    ['10.1.2.3', ['private'], 'blocked'],
    ['1.1.1.1', ['private'], null],
    ['1.1.1.1', ['what is this'], 'blocked'],
    ['169.254.169.254', ['private'], 'never'],
  ] as const)('judges %s, with %j blocked by the operator: %s', (address, networks, fault) => {
    expect(addressFault(address, true, networks)).toBe(fault);
  });
});
